//! Layers: unpack, pack (native, as mapped ids), list and check (native and WebAssembly), all with the feature `layers`; merge
//! and remove, which a container needs too.

#[cfg(feature = "layers")]
mod check;
#[cfg(feature = "layers")]
mod decode;
#[cfg(target_os = "linux")]
pub mod flatten;
#[cfg(not(target_os = "linux"))]
mod frames;
#[cfg(feature = "layers")]
mod gzip;
#[cfg(feature = "layers")]
mod list;
#[cfg(all(target_os = "linux", feature = "layers"))]
pub mod pack;
#[cfg(target_os = "linux")]
pub mod remove;
#[cfg(all(test, target_os = "linux", feature = "layers"))]
mod tests;
#[cfg(all(target_os = "linux", feature = "layers"))]
pub mod unpack;
#[cfg(feature = "layers")]
mod used;
#[cfg(feature = "layers")]
mod verb;
#[cfg(target_os = "linux")]
mod whiteout;
#[cfg(target_os = "linux")]
mod xattrs;

#[cfg(all(target_os = "linux", feature = "layers"))]
pub use decode::decoder;
#[cfg(feature = "layers")]
pub use verb::layer_verb;
