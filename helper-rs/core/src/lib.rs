//! What the helper knows without asking the kernel: OCI types, the validator, the seccomp compiler, tar.
//! Pure: no system call, no environment; the same code runs native and in both WebAssembly builds.

pub mod caps;
pub mod dbus;
pub mod dns;
#[cfg(test)]
mod fuzz;
pub mod lower;
pub mod oci;
pub mod seccomp;
pub mod tar;
pub mod validate;
