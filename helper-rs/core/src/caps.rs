//! Capability names and numbers (capabilities(7), linux/capability.h), complete to Linux 6.18.

/// The name's place is its number.
pub const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// `CAP_CHOWN` is 0; only the full name in capitals counts, as in config.json.
pub fn number(name: &str) -> Option<u32> {
    (0u32..).zip(NAMES).find(|(_, known)| *known == name).map(|(number, _)| number)
}

/// 0 is `CAP_CHOWN`.
pub fn name(number: u32) -> Option<&'static str> {
    NAMES.get(usize::try_from(number).ok()?).copied()
}

/// The set of the names as the kernel holds it, bit n for capability n, and the names that are none.
pub fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> (u64, Vec<&'a str>) {
    let mut bits = 0;
    let mut unknown = Vec::new();
    for one in names {
        match number(one) {
            Some(number) => bits |= 1 << number,
            None => unknown.push(one),
        }
    }
    (bits, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_each_others_inverse() {
        for (at, known) in (0u32..).zip(NAMES) {
            assert_eq!(number(known), Some(at));
            assert_eq!(name(at), Some(known));
        }
        assert_eq!(name(41), None);
    }

    #[test]
    fn numbers_are_those_of_the_kernel() {
        let table = [("CAP_KILL", 5), ("CAP_SYS_ADMIN", 21), ("CAP_SETFCAP", 31), ("CAP_BPF", 39)];
        for (name, expected) in table {
            assert_eq!(number(name), Some(expected));
        }
        assert_eq!(number("CHOWN"), None);
        assert_eq!(number("cap_chown"), None);
    }

    #[test]
    fn a_set_has_a_bit_for_each_name_and_lists_the_rest() {
        assert_eq!(set(["CAP_CHOWN", "CAP_MAGIC", "CAP_SETUID", "CAP_CHOWN"]), (0b1000_0001, vec!["CAP_MAGIC"]));
    }
}
