//! Conditions on arguments: `SCMP_CMP_*` (config-linux.md#seccomp, seccomp_rule_add(3)).

use crate::oci::runtime::SeccompArg;

/// The seven operators of the specification.
pub const NAMES: &[&str] =
    &["SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"];

/// System calls have six arguments.
pub const ARGUMENTS: u32 = 6;

/// One comparison of an argument; all are unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    pub index: u32,
    pub test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    Ne(u64),
    Lt(u64),
    Le(u64),
    Eq(u64),
    Ge(u64),
    Gt(u64),
    /// `argument & mask == datum`; the datum is already masked.
    Masked {
        mask: u64,
        datum: u64,
    },
}

/// Reads one entry of `args`; `None` for an operator that does not exist.
pub fn test(arg: &SeccompArg) -> Option<Test> {
    match arg.op.as_str() {
        "SCMP_CMP_NE" => Some(Test::Ne(arg.value)),
        "SCMP_CMP_LT" => Some(Test::Lt(arg.value)),
        "SCMP_CMP_LE" => Some(Test::Le(arg.value)),
        "SCMP_CMP_EQ" => Some(Test::Eq(arg.value)),
        "SCMP_CMP_GE" => Some(Test::Ge(arg.value)),
        "SCMP_CMP_GT" => Some(Test::Gt(arg.value)),
        "SCMP_CMP_MASKED_EQ" => Some(Test::Masked { mask: arg.value, datum: arg.value_two & arg.value }),
        _ => None,
    }
}
