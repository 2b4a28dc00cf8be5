//! wasm-bindgen front of the validator.
