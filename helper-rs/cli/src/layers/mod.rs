//! Layers: unpack, merge, remove (native, as mapped ids), list and check (native and WebAssembly).

mod decode;
#[cfg(target_os = "linux")]
pub mod remove;
#[cfg(target_os = "linux")]
pub mod unpack;
#[cfg(target_os = "linux")]
pub mod verbs;
