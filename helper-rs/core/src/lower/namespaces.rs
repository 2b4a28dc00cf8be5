//! `linux.namespaces` → clone flags and namespaces to join.

use crate::oci::runtime::Namespace;

pub const CLONE_NEWTIME: i32 = 0x80;
pub const CLONE_NEWNS: i32 = 0x2_0000;
pub const CLONE_NEWCGROUP: i32 = 0x200_0000;
pub const CLONE_NEWUTS: i32 = 0x400_0000;
pub const CLONE_NEWIPC: i32 = 0x800_0000;
pub const CLONE_NEWUSER: i32 = 0x1000_0000;
pub const CLONE_NEWPID: i32 = 0x2000_0000;
pub const CLONE_NEWNET: i32 = 0x4000_0000;

/// Spec name, kernel flag, file in /proc/PID/ns.
pub const KINDS: &[(&str, i32, &str)] = &[
    ("user", CLONE_NEWUSER, "user"),
    ("mount", CLONE_NEWNS, "mnt"),
    ("pid", CLONE_NEWPID, "pid"),
    ("network", CLONE_NEWNET, "net"),
    ("ipc", CLONE_NEWIPC, "ipc"),
    ("uts", CLONE_NEWUTS, "uts"),
    ("cgroup", CLONE_NEWCGROUP, "cgroup"),
    ("time", CLONE_NEWTIME, "time"),
];

/// New namespaces as flags, and (flag, path) of those to join, the user namespace first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    pub new: i32,
    pub join: Vec<(i32, String)>,
}

/// Lowers the list; the `Err` is a type that does not exist.
pub fn lower(list: &[Namespace]) -> Result<Namespaces, String> {
    let mut out = Namespaces::default();
    for namespace in list {
        let Some((_, flag, _)) = KINDS.iter().find(|(name, _, _)| *name == namespace.kind) else {
            return Err(namespace.kind.clone());
        };
        match &namespace.path {
            Some(path) if !path.is_empty() => out.join.push((*flag, path.clone())),
            _ => out.new |= flag,
        }
    }
    // Joining a user namespace gives the capabilities that the other joins need; a new one takes them away.
    out.join.sort_by_key(|(flag, _)| *flag != CLONE_NEWUSER);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(kind: &str, path: Option<&str>) -> Namespace {
        Namespace { kind: kind.into(), path: path.map(Into::into) }
    }

    #[test]
    fn new_and_joined_namespaces_are_told_apart_and_user_is_joined_first() {
        let list = [namespace("network", Some("/n")), namespace("user", Some("/u")), namespace("pid", None)];
        let got = lower(&list).unwrap();
        assert_eq!(got.new, CLONE_NEWPID);
        assert_eq!(got.join, [(CLONE_NEWUSER, "/u".to_string()), (CLONE_NEWNET, "/n".to_string())]);
    }

    #[test]
    fn an_unknown_type_is_named() {
        assert_eq!(lower(&[namespace("net", None)]), Err("net".to_string()));
    }
}
