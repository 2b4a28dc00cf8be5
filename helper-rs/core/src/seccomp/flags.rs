//! `linux.seccomp.flags` to the flags of seccomp(2).

/// Name and bit (linux/seccomp.h).
pub const NAMES: &[(&str, u64)] = &[
    ("SECCOMP_FILTER_FLAG_TSYNC", 1),
    ("SECCOMP_FILTER_FLAG_LOG", 2),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 32),
];

/// The bits of all names together, or the first name that is none.
pub fn bits(names: &[String]) -> Result<u64, &str> {
    names.iter().try_fold(0, |bits, name| match NAMES.iter().find(|known| known.0 == name) {
        Some((_, bit)) => Ok(bits | bit),
        None => Err(name.as_str()),
    })
}
