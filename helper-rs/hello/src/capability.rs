//! Names of capabilities, by bit (capabilities(7), linux/capability.h).

const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// The hexadecimal mask of /proc/PID/status as words, six a line; `all` and `none` said shortly.
pub fn names(mask: &str) -> Option<String> {
    let mask = u64::from_str_radix(mask, 16).ok()?;
    let held: Vec<&str> =
        (0..NAMES.len()).filter(|bit| mask >> bit & 1 == 1).filter_map(|bit| NAMES.get(bit).copied()).collect();
    Some(match held.len() {
        0 => "none".to_string(),
        count if count == NAMES.len() => "all".to_string(),
        _ => held.chunks(6).map(|row| row.join(" ")).collect::<Vec<_>>().join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_read_bit_by_bit() {
        assert_eq!(names("0000000000000000").as_deref(), Some("none"));
        assert_eq!(names("00000000000000c1").as_deref(), Some("chown setgid setuid"));
        assert_eq!(names("000001ffffffffff").as_deref(), Some("all"));
        assert_eq!(names("x"), None);
    }
}
