//! Facts from /proc about this process, each as text for one row.

use std::collections::BTreeMap;
use std::fs;

/// proc_pid_status(5) as name → value.
pub fn status() -> BTreeMap<String, String> {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_string(), value.trim().to_string())).collect()
}

/// Effective ids and the supplementary groups.
pub fn user(uid: &str, gid: &str, groups: &str) -> String {
    let effective = |ids: &str| ids.split_whitespace().nth(1).unwrap_or("?").to_string();
    let groups: Vec<&str> = groups.split_whitespace().collect();
    let groups = if groups.is_empty() { "none".to_string() } else { groups.join(" ") };
    format!("uid {}, gid {}, other groups {groups}", effective(uid), effective(gid))
}

/// user_namespaces(7): `inside outside length` a line, as `0 is 1000 outside, 1-65535 is 100000-165534`.
pub fn id_map(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let extents: Option<Vec<String>> = text.lines().map(extent).collect();
    Some(extents?.join(", "))
}

fn extent(line: &str) -> Option<String> {
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [inside, outside, length] = numbers[..] else { return None };
    let range = |first: u64| match length {
        0 | 1 => first.to_string(),
        _ => format!("{first}-{}", first.saturating_add(length - 1)),
    };
    Some(format!("{} is {} outside", range(inside), range(outside)))
}

/// namespaces(7): each kind with its inode number, as `readlink /proc/self/ns/*` outside shows it too; four a line.
pub fn namespaces() -> Option<String> {
    let mut found: Vec<String> = fs::read_dir("/proc/self/ns")
        .ok()?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.into_os_string().into_string().ok())
        .map(|link| link.replace(":[", " ").replace(']', ""))
        .collect();
    found.sort();
    found.dedup();
    Some(found.chunks(4).map(|row| row.join("  ")).collect::<Vec<_>>().join("\n"))
}

/// The unified hierarchy's path (cgroups(7), "0::PATH"), else how many v1 hierarchies there are.
pub fn cgroup() -> Option<String> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let unified = text.lines().find_map(|line| line.strip_prefix("0::"));
    Some(match unified {
        Some(path) => format!("{path} (v2, as seen from its own namespace)"),
        None => format!("{} version 1 hierarchies", text.lines().count()),
    })
}

pub fn seccomp(mode: &str, filters: &str) -> String {
    match (mode, filters) {
        ("0", _) => "off".to_string(),
        ("1", _) => "strict".to_string(),
        ("2", "" | "1") => "filter".to_string(),
        ("2", many) => format!("{many} filters"),
        _ => "not in this kernel".to_string(),
    }
}

pub fn no_new_privileges(flag: &str) -> &'static str {
    match flag {
        "1" => "cannot be gained (no_new_privs)",
        _ => "can be gained by set-uid programs",
    }
}

/// Names in /proc/net/dev.
pub fn interfaces() -> Option<String> {
    let text = fs::read_to_string("/proc/net/dev").ok()?;
    let names: Vec<&str> =
        text.lines().skip(2).filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim()).collect();
    Some(if names.is_empty() { "no interface".to_string() } else { names.join(" ") })
}

pub fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_of_one_is_shown_as_one_id() {
        assert_eq!(extent("         0       1000          1").as_deref(), Some("0 is 1000 outside"));
        assert_eq!(extent("1 100000 65536").as_deref(), Some("1-65536 is 100000-165535 outside"));
        assert_eq!(extent("1 100000"), None);
    }

    #[test]
    fn the_user_row_takes_the_effective_id() {
        assert_eq!(user("1\t2\t3\t4", "5\t6\t7\t8", ""), "uid 2, gid 6, other groups none");
        assert_eq!(user("0\t0\t0\t0", "0\t0\t0\t0", "10 20 "), "uid 0, gid 0, other groups 10 20");
    }

    #[test]
    fn seccomp_modes_have_words() {
        assert_eq!(seccomp("2", "1"), "filter");
        assert_eq!(seccomp("2", "2"), "2 filters");
        assert_eq!(seccomp("0", "0"), "off");
        assert_eq!(seccomp("", ""), "not in this kernel");
    }
}
