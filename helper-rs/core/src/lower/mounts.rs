//! `mounts` of config.json → mount operations for the new mount API (fsopen, open_tree, mount_setattr, move_mount).

use super::annotations::MountExtra;
use crate::oci::runtime::Mount;

pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub const MOUNT_ATTR_NODEV: u64 = 0x4;
pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
const ATIME_MASK: u64 = 0x70;
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;

const MS_REC: u64 = 1 << 14;
const MS_UNBINDABLE: u64 = 1 << 17;
pub const MS_PRIVATE: u64 = 1 << 18;
pub const MS_SLAVE: u64 = 1 << 19;
pub const MS_SHARED: u64 = 1 << 20;

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A copy of an existing tree.
    Bind { path: String, recursive: bool },
    /// A new filesystem instance: its type, source and `key=value` parameters.
    New { kind: String, source: String, parameters: Vec<(String, Option<String>)> },
}

/// Attributes to set and clear on a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    pub set: u64,
    pub clear: u64,
}

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOp {
    /// Index in `mounts`.
    pub index: usize,
    pub target: String,
    pub source: Source,
    pub attributes: Attributes,
    /// For the mount and all below it (`rro`, `rnosuid`, …).
    pub recursive: Attributes,
    /// `MS_*` propagation with or without `MS_REC`, in order; the last of each kind wins in the kernel.
    pub propagation: Vec<u64>,
    /// tmpfs that starts with a copy of what it covers.
    pub copy_up: bool,
    /// The target's last component is not followed if it is a symbolic link.
    pub no_follow: bool,
    /// `idmap` or `ridmap` was asked for.
    pub idmap: bool,
    /// What the standard cannot say.
    pub extra: MountExtra,
}

/// Lowers one entry; the `Err` is the option that nothing understands.
///
/// `cgroup` is whatever the host has: with a cgroup namespace of its own the container gets a new view of the v2 tree,
/// without one only the host's tree can be shown.
pub fn lower(index: usize, mount: &Mount, own_cgroups: bool) -> Result<MountOp, String> {
    let mut op = MountOp {
        index,
        target: mount.destination.clone(),
        source: Source::Bind { path: String::new(), recursive: false },
        attributes: Attributes::default(),
        recursive: Attributes::default(),
        propagation: Vec::new(),
        copy_up: false,
        no_follow: false,
        idmap: !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty(),
        extra: MountExtra::default(),
    };
    let mut bind = mount.kind.as_deref() == Some("bind");
    let mut recursive = false;
    let mut parameters = Vec::new();
    for option in &mount.options {
        match option.as_str() {
            "bind" => bind = true,
            "rbind" => (bind, recursive) = (true, true),
            "defaults" | "async" | "sync" | "dirsync" | "mand" | "nomand" | "iversion" | "noiversion" | "remount" => {}
            "tmpcopyup" => op.copy_up = true,
            "copy-symlink" | "dest-nofollow" | "nofollow" => op.no_follow = true,
            "idmap" | "ridmap" => op.idmap = true,
            name => {
                if let Some(flags) = propagation(name) {
                    op.propagation.push(flags);
                } else if let Some((all, flag, clear)) = attribute(name) {
                    let target = if all { &mut op.recursive } else { &mut op.attributes };
                    change(target, flag, clear);
                } else if bind {
                    // Engines label and relabel binds; without a filesystem there is nothing that could take the parameter.
                    if !matches!(name, "z" | "Z") && !name.starts_with("context=") {
                        return Err(name.to_string());
                    }
                } else {
                    parameters.push(split(name));
                }
            }
        }
    }
    let source = mount.source.clone().unwrap_or_default();
    op.source = if bind {
        Source::Bind { path: source, recursive }
    } else {
        match mount.kind.as_deref().unwrap_or("none") {
            "cgroup" | "cgroup2" if !own_cgroups => Source::Bind { path: "/sys/fs/cgroup".into(), recursive: true },
            "cgroup" => Source::New { kind: "cgroup2".into(), source, parameters },
            kind => Source::New { kind: kind.into(), source, parameters },
        }
    };
    Ok(op)
}

fn split(option: &str) -> (String, Option<String>) {
    match option.split_once('=') {
        Some((key, value)) => (key.to_string(), Some(value.to_string())),
        None => (option.to_string(), None),
    }
}

fn change(to: &mut Attributes, flag: u64, clear: bool) {
    if flag & ATIME_MASK != 0 || (flag == 0 && !clear) {
        // The access time modes are values, not flags: set the new one, clear the whole field (mount_setattr(2)).
        to.clear |= ATIME_MASK;
        to.set = (to.set & !ATIME_MASK) | if clear { 0 } else { flag };
    } else if clear {
        to.clear |= flag;
        to.set &= !flag;
    } else {
        to.set |= flag;
        to.clear &= !flag;
    }
}

/// (recursive, attribute, clear) of an option name.
fn attribute(name: &str) -> Option<(bool, u64, bool)> {
    let (all, base) = match name.strip_prefix('r') {
        Some(rest) if single(rest).is_some() && !matches!(name, "ro" | "rw" | "relatime") => (true, rest),
        _ => (false, name),
    };
    single(base).map(|(flag, clear)| (all, flag, clear))
}

fn single(name: &str) -> Option<(u64, bool)> {
    Some(match name {
        "ro" => (MOUNT_ATTR_RDONLY, false),
        "rw" => (MOUNT_ATTR_RDONLY, true),
        "nosuid" => (MOUNT_ATTR_NOSUID, false),
        "suid" => (MOUNT_ATTR_NOSUID, true),
        "nodev" => (MOUNT_ATTR_NODEV, false),
        "dev" => (MOUNT_ATTR_NODEV, true),
        "noexec" => (MOUNT_ATTR_NOEXEC, false),
        "exec" => (MOUNT_ATTR_NOEXEC, true),
        "relatime" => (0, false),
        "norelatime" => (STRICTATIME, false),
        "noatime" => (NOATIME, false),
        "atime" => (NOATIME, true),
        "strictatime" => (STRICTATIME, false),
        "nostrictatime" => (STRICTATIME, true),
        "nodiratime" => (NODIRATIME, false),
        "diratime" => (NODIRATIME, true),
        "nosymfollow" => (NOSYMFOLLOW, false),
        "symfollow" => (NOSYMFOLLOW, true),
        _ => return None,
    })
}

/// Flags of a propagation option, or of `rootfsPropagation`.
pub fn propagation(name: &str) -> Option<u64> {
    Some(match name {
        "private" => MS_PRIVATE,
        "rprivate" => MS_PRIVATE | MS_REC,
        "slave" => MS_SLAVE,
        "rslave" => MS_SLAVE | MS_REC,
        "shared" => MS_SHARED,
        "rshared" => MS_SHARED | MS_REC,
        "unbindable" => MS_UNBINDABLE,
        "runbindable" => MS_UNBINDABLE | MS_REC,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(kind: &str, options: &[&str]) -> Mount {
        Mount {
            destination: "/x".into(),
            kind: Some(kind.into()),
            source: Some("/src".into()),
            options: options.iter().map(ToString::to_string).collect(),
            ..Mount::default()
        }
    }

    #[test]
    fn a_bind_keeps_its_attributes_and_propagation() {
        let op = lower(2, &mount("none", &["rbind", "ro", "nosuid", "rslave"]), true).unwrap();
        assert_eq!(op.source, Source::Bind { path: "/src".into(), recursive: true });
        assert_eq!(op.attributes, Attributes { set: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, clear: 0 });
        assert_eq!(op.propagation, [MS_SLAVE | MS_REC]);
    }

    #[test]
    fn unknown_words_are_parameters_of_a_filesystem_and_errors_of_a_bind() {
        let op = lower(0, &mount("tmpfs", &["size=64k", "mode=755", "noswap"]), true).unwrap();
        let Source::New { parameters, .. } = op.source else { panic!("not a filesystem") };
        assert_eq!(parameters[0], ("size".to_string(), Some("64k".to_string())));
        assert_eq!(parameters[2], ("noswap".to_string(), None));
        assert_eq!(lower(0, &mount("bind", &["bind", "size=64k"]), true), Err("size=64k".to_string()));
    }

    #[test]
    fn recursive_read_only_is_told_from_its_lookalikes() {
        let recursive = |name: &str| lower(0, &mount("bind", &["rbind", name]), true).unwrap().recursive.set;
        assert_eq!(recursive("rro"), MOUNT_ATTR_RDONLY);
        assert_eq!(recursive("ro"), 0);
        assert_eq!(recursive("relatime"), 0);
        assert_eq!(recursive("rnoexec"), MOUNT_ATTR_NOEXEC);
    }

    #[test]
    fn without_a_cgroup_namespace_the_host_tree_is_shown() {
        let source = |own| lower(0, &mount("cgroup", &["ro"]), own).unwrap().source;
        assert_eq!(source(false), Source::Bind { path: "/sys/fs/cgroup".into(), recursive: true });
        assert!(matches!(source(true), Source::New { kind, .. } if kind == "cgroup2"));
    }

    #[test]
    fn a_later_option_undoes_an_earlier_one() {
        let op = lower(0, &mount("bind", &["bind", "ro", "rw"]), true).unwrap();
        assert_eq!(op.attributes, Attributes { set: 0, clear: MOUNT_ATTR_RDONLY });
        let op = lower(0, &mount("bind", &["bind", "noatime", "relatime"]), true).unwrap();
        assert_eq!(op.attributes, Attributes { set: 0, clear: ATIME_MASK });
    }
}
