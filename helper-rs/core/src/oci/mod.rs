//! Types of the OCI specifications, as far as the helper acts on them.

pub mod resources;
pub mod runtime;
pub mod state;
