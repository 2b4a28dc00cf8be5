//! `rootless-helper`: an OCI runtime, and the few things beside it that need mapped ids. Verbs: docs/contract.md.

mod failure;
mod layers;
mod validate;

fn main() {}
