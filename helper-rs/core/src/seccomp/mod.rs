//! Compiles `linux.seccomp` (config-linux.md#seccomp) into a BPF program for seccomp(2): pure, no libseccomp.

pub mod action;
pub mod arch;
mod assemble;
mod compile;
pub mod condition;
pub mod flags;
mod rules;
pub mod syscalls;
#[cfg(test)]
mod tests;

pub use arch::Arch;
pub use compile::compile;

use std::fmt;

/// struct sock_filter (linux/filter.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// A filter ready for struct sock_fprog, and what of the profile is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// At most 4096.
    pub instructions: Vec<Insn>,
    /// Names that Linux does not have (yet): ignored, as profiles are written for many kernels.
    pub unknown_syscalls: Vec<String>,
    /// `SCMP_ARCH_*` that the compiler has no numbers for; calls of theirs are treated as of an architecture not listed.
    pub ignored_architectures: Vec<String>,
    /// A rule asks for SCMP_ACT_NOTIFY: install with SECCOMP_FILTER_FLAG_NEW_LISTENER.
    pub notifies: bool,
}

/// Why a profile cannot be compiled. `at` is the place below `linux.seccomp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeccompError {
    UnknownAction { at: String, name: String },
    UnknownOperator { at: String, name: String },
    ArgumentIndex { at: String, index: u32 },
    ErrnoRange { at: String, value: u32, limit: u32 },
    NotifyByDefault,
    TooLong { instructions: usize },
}

impl fmt::Display for SeccompError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SeccompError::UnknownAction { at, name } => write!(f, "{at}: unknown action {name:?}"),
            SeccompError::UnknownOperator { at, name } => write!(f, "{at}: unknown operator {name:?}"),
            SeccompError::ArgumentIndex { at, index } => write!(f, "{at}: argument {index} does not exist (0 to 5)"),
            SeccompError::ErrnoRange { at, value, limit } => write!(f, "{at}: errnoRet {value} is above {limit}"),
            SeccompError::NotifyByDefault => f.write_str("defaultAction: SCMP_ACT_NOTIFY would wait for itself"),
            SeccompError::TooLong { instructions } => {
                write!(f, "the filter has {instructions} instructions, the kernel takes 4096")
            }
        }
    }
}

impl std::error::Error for SeccompError {}
