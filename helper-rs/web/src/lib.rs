//! wasm-bindgen front of the validator: strings in, JSON out.

use rootless_core::validate as core;
use wasm_bindgen::prelude::*;

/// The problems of a document as a JSON array.
/// @throws the name of a kind that does not exist
#[wasm_bindgen]
pub fn validate(kind: &str, json: &str) -> Result<String, JsValue> {
    let problems = core::validate(kind, json).map_err(|unknown| JsValue::from_str(&unknown.0))?;
    serde_json::to_string(&problems).map_err(|error| JsValue::from_str(&error.to_string()))
}

/// Every rule that `validate` knows, as a JSON array of `{kind, rule, section, level, text}`.
#[wasm_bindgen]
pub fn rules() -> Result<String, JsValue> {
    serde_json::to_string(&core::rules()).map_err(|error| JsValue::from_str(&error.to_string()))
}
