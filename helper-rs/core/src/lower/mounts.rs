//! `mounts` of config.json → mount operations for the new mount API (fsopen, open_tree, mount_setattr, move_mount).

use super::annotations::MountExtra;
use crate::oci::runtime::{IdMapping, Mount};

pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub const MOUNT_ATTR_NODEV: u64 = 0x4;
pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
const ATIME_MASK: u64 = 0x70;
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;
/// What says when access times are written; locked on mounts of others.
pub const ACCESS_TIMES: u64 = ATIME_MASK | NODIRATIME;
const NOSYMFOLLOW: u64 = 0x20_0000;

const MS_REC: u64 = 1 << 14;
const MS_UNBINDABLE: u64 = 1 << 17;
pub const MS_PRIVATE: u64 = 1 << 18;
pub const MS_SLAVE: u64 = 1 << 19;
pub const MS_SHARED: u64 = 1 << 20;

/// All options that are no filesystem's own, in order (`features`): those of the specification, and crun's.
pub const OPTIONS: &[&str] = &[
    "async",
    "atime",
    "bind",
    "copy-symlink",
    "defaults",
    "dest-nofollow",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "idmap",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "rasync",
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "rdirsync",
    "relatime",
    "remount",
    "rexec",
    "ridmap",
    "rmand",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnomand",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "ro",
    "rprivate",
    "rrelatime",
    "rro",
    "rrw",
    "rshared",
    "rslave",
    "rstrictatime",
    "rsuid",
    "rsymfollow",
    "rsync",
    "runbindable",
    "rw",
    "shared",
    "silent",
    "slave",
    "src-nofollow",
    "strictatime",
    "suid",
    "symfollow",
    "sync",
    "tmpcopyup",
    "unbindable",
];

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

/// Other ids than the source's (`idmap`; with `ridmap` on everything below it too).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountIds {
    pub recursive: bool,
    pub uid: Vec<IdMapping>,
    pub gid: Vec<IdMapping>,
    /// By index, where crun's `@` was said: the host's ids are counted as the container's.
    pub relative_uid: Vec<bool>,
    pub relative_gid: Vec<bool>,
}

impl MountIds {
    /// Those of the container's user namespace.
    pub fn is_own(&self) -> bool {
        self.uid.is_empty() && self.gid.is_empty()
    }
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
    /// Nor is that of the source: the link itself is mounted.
    pub source_no_follow: bool,
    /// A source that is a symbolic link is made again at the target, and nothing is mounted.
    pub copy_link: bool,
    /// Only the attributes of what is mounted on the target already are changed.
    pub remount: bool,
    pub idmap: Option<MountIds>,
    /// Options of a bind that nothing here knows: for a filesystem, which would be asked for nothing.
    pub unheeded: Vec<String>,
    /// What the standard cannot say.
    pub extra: MountExtra,
}

/// Lowers one entry; the `Err` is an option that is not written as it has to be.
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
        source_no_follow: false,
        copy_link: false,
        remount: false,
        idmap: None,
        unheeded: Vec::new(),
        extra: MountExtra::default(),
    };
    let mut bind = mount.kind.as_deref() == Some("bind");
    let mut recursive = false;
    let mut parameters = Vec::new();
    let ids = |recursive| MountIds {
        recursive,
        uid: mount.uid_mappings.clone(),
        gid: mount.gid_mappings.clone(),
        ..MountIds::default()
    };
    if !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty() {
        op.idmap = Some(ids(false));
    }
    bind |= mount.options.iter().any(|option| matches!(option.as_str(), "bind" | "rbind"));
    for option in &mount.options {
        match option.as_str() {
            "bind" => {}
            "rbind" => recursive = true,
            "remount" => op.remount = true,
            "tmpcopyup" => op.copy_up = true,
            "dest-nofollow" | "nofollow" => op.no_follow = true,
            "src-nofollow" => op.source_no_follow = true,
            "copy-symlink" => op.copy_link = true,
            "idmap" | "ridmap" => op.idmap = Some(ids(option == "ridmap")),
            name if name.starts_with("idmap=") || name.starts_with("ridmap=") => {
                op.idmap = Some(named_ids(name).ok_or_else(|| name.to_string())?);
            }
            name if is_default(name) => {}
            name => {
                if let Some(flags) = propagation(name) {
                    op.propagation.push(flags);
                } else if let Some((all, flag, clear)) = attribute(name) {
                    let target = if all { &mut op.recursive } else { &mut op.attributes };
                    change(target, flag, clear);
                } else if bind {
                    // Engines label and relabel binds; without a filesystem there is nothing that could take the parameter.
                    // What belongs to the filesystem is shared with the source.
                    if !matches!(name, "z" | "Z") && !is_superblock(name) && !name.starts_with("context=") {
                        op.unheeded.push(name.to_string());
                    }
                } else {
                    parameters.push(split(if is_superblock(name) { name.trim_start_matches('r') } else { name }));
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
    // What a bind shows is somebody's: nothing is copied into it.
    op.copy_up &= matches!(&op.source, Source::New { kind, .. } if kind == "tmpfs");
    Ok(op)
}

/// crun's `idmap=uids=0-1-10#10-11-10;gids=0-100-10`: first id on the filesystem, first id of the host, and how many.
fn named_ids(option: &str) -> Option<MountIds> {
    let (name, lists) = option.split_once('=')?;
    let mut ids = MountIds { recursive: name == "ridmap", ..MountIds::default() };
    for list in lists.split(';') {
        let (kind, triplets) = list.split_once('=')?;
        let (to, relative) = match kind {
            "uids" => (&mut ids.uid, &mut ids.relative_uid),
            "gids" => (&mut ids.gid, &mut ids.relative_gid),
            _ => return None,
        };
        for triplet in triplets.split('#') {
            let numbers = triplet.strip_prefix('@').unwrap_or(triplet);
            let mut numbers = numbers.split('-').map(|number| number.parse::<u32>().ok());
            let (container_id, host_id, size) = (numbers.next()??, numbers.next()??, numbers.next()??);
            let ends = |from: u32| from.checked_add(size).is_some();
            if numbers.next().is_some() || size == 0 || !ends(container_id) || !ends(host_id) {
                return None;
            }
            to.push(IdMapping { container_id, host_id, size });
            relative.push(triplet.starts_with('@'));
        }
    }
    (!ids.uid.is_empty() && !ids.gid.is_empty()).then_some(ids)
}

/// `linux.mountLabel`: SELinux's context of a filesystem that is the container's own and keeps none itself.
pub fn label(op: &mut MountOp, option: &str, label: &str) {
    let Source::New { kind, parameters, .. } = &mut op.source else { return };
    let is_said = |(key, _): &(String, _)| key.ends_with("context");
    if matches!(kind.as_str(), "tmpfs" | "devpts" | "mqueue" | "ramfs" | "overlay") && !parameters.iter().any(is_said) {
        parameters.push((option.to_string(), Some(label.to_string())));
    }
}

/// What holds anyway, or what no filesystem of today heeds.
fn is_default(name: &str) -> bool {
    let name = if matches!(name, "rasync" | "rnomand" | "rmand") { &name[1..] } else { name };
    matches!(
        name,
        "defaults" | "async" | "mand" | "nomand" | "loud" | "silent" | "iversion" | "noiversion" | "nolazytime"
    )
}

/// The kernel takes these words as parameters of a new filesystem.
fn is_superblock(name: &str) -> bool {
    matches!(name, "sync" | "dirsync" | "lazytime" | "rsync" | "rdirsync")
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
        // Without another word that is what mount(2) does.
        "relatime" | "norelatime" => (0, false),
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
    fn unknown_words_are_parameters_of_a_filesystem_and_mean_nothing_to_a_bind() {
        let op = lower(0, &mount("tmpfs", &["size=64k", "mode=755", "noswap"]), true).unwrap();
        let Source::New { parameters, .. } = op.source else { panic!("not a filesystem") };
        assert_eq!(parameters[0], ("size".to_string(), Some("64k".to_string())));
        assert_eq!(parameters[2], ("noswap".to_string(), None));
        assert_eq!(lower(0, &mount("bind", &["bind", "size=64k"]), true).unwrap().unheeded, ["size=64k"]);
    }

    #[test]
    fn recursive_read_only_is_told_from_its_lookalikes() {
        let recursive = |name: &str| lower(0, &mount("bind", &["rbind", name]), true).unwrap().recursive.set;
        assert_eq!(recursive("rro"), MOUNT_ATTR_RDONLY);
        assert_eq!(recursive("ro"), 0);
        assert_eq!(recursive("relatime"), 0);
        assert_eq!(recursive("rnorelatime"), 0);
        assert_eq!(recursive("rnoexec"), MOUNT_ATTR_NOEXEC);
    }

    #[test]
    fn options_of_the_filesystem_reach_a_new_one_and_mean_nothing_to_a_bind() {
        let op = lower(0, &mount("tmpfs", &["sync", "dirsync", "lazytime", "loud", "nolazytime"]), true).unwrap();
        let Source::New { parameters, .. } = op.source else { panic!("not a filesystem") };
        assert_eq!(parameters.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["sync", "dirsync", "lazytime"]);
        assert!(lower(0, &mount("bind", &["bind", "sync", "silent", "iversion"]), true).is_ok());
    }

    #[test]
    fn mappings_of_a_mount_are_kept_and_their_reach_is_told_by_the_option() {
        let ids = |options: &[&str]| lower(0, &mount("bind", options), true).unwrap().idmap;
        assert_eq!(ids(&["bind"]), None);
        assert_eq!(ids(&["bind", "idmap"]).map(|ids| ids.recursive), Some(false));
        assert_eq!(ids(&["rbind", "ridmap"]).map(|ids| ids.recursive), Some(true));
        let mapped =
            Mount { uid_mappings: vec![IdMapping { size: 1, ..IdMapping::default() }], ..mount("bind", &["bind"]) };
        assert_eq!(lower(0, &mapped, true).unwrap().idmap.map(|ids| ids.uid.len()), Some(1));
    }

    #[test]
    fn every_option_that_is_listed_is_known() {
        assert!(OPTIONS.is_sorted());
        for option in OPTIONS {
            assert!(lower(0, &mount("bind", &[option]), true).is_ok(), "{option}");
            let Source::New { parameters, .. } = lower(0, &mount("tmpfs", &[option]), true).unwrap().source else {
                continue;
            };
            assert!(parameters.is_empty() || is_superblock(option), "{option}");
        }
    }

    #[test]
    fn mappings_in_the_option_are_those_of_crun() {
        let ids = |option: &str| lower(0, &mount("bind", &["bind", option]), true).map(|op| op.idmap.unwrap());
        let got = ids("ridmap=uids=0-1-10#@10-11-10;gids=0-100-10").unwrap();
        assert!(got.recursive && got.uid.len() == 2 && got.gid[0].host_id == 100);
        assert_eq!((got.uid[1].container_id, got.uid[1].host_id, got.uid[1].size), (10, 11, 10));
        assert_eq!((got.relative_uid, got.relative_gid), (vec![false, true], vec![false]));
        for wrong in [
            "",
            "uids=0-1-10",
            "uids=0-1;gids=0-1-1",
            "uids=0-1-0;gids=0-1-1",
            "xids=0-1-1;gids=0-1-1",
            "uids=4294967295-0-1;gids=0-1-1",
            "uids=0-1-1-1;gids=0-1-1",
        ] {
            assert!(ids(&format!("idmap={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_label_is_for_filesystems_of_the_containers_own() {
        let labelled = |kind: &str, options: &[&str]| {
            let mut op = lower(0, &mount(kind, options), true).unwrap();
            label(&mut op, "context", "system_u:object_r:container_file_t:s0:c1,c2");
            match op.source {
                Source::New { parameters, .. } => parameters.into_iter().filter_map(|(_, value)| value).collect(),
                Source::Bind { .. } => Vec::new(),
            }
        };
        assert_eq!(labelled("tmpfs", &[]), ["system_u:object_r:container_file_t:s0:c1,c2"]);
        assert_eq!(labelled("tmpfs", &["rootcontext=x"]), ["x"]);
        assert!(labelled("proc", &[]).is_empty() && labelled("bind", &["bind"]).is_empty());
    }

    #[test]
    fn links_are_told_apart_by_whose_they_are() {
        let op = |name: &str| lower(0, &mount("bind", &["bind", name]), true).unwrap();
        assert!(op("src-nofollow").source_no_follow && !op("src-nofollow").no_follow);
        assert!(op("dest-nofollow").no_follow && !op("dest-nofollow").copy_link);
        assert!(op("copy-symlink").copy_link);
        assert!(op("remount").remount);
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
