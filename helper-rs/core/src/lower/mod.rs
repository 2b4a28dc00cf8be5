//! Policy lowered to typed operations before any fork: the child only executes a list.

pub mod annotations;
pub mod mounts;
pub mod namespaces;
pub mod networks;
pub mod ranges;
pub mod resources;
pub mod scope;
