//! config.md, "Mounts", and the paths of config-linux.md that are hidden or made read-only.

use super::has_namespace;
use super::process::one_of;
use crate::validate::grammar::is_absolute;
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};

const MOUNTS: &str = "config.md#mounts";
const POSIX: &str = "config.md#posix-platform-mounts";
const OPTIONS: &str = "config.md#linux-mount-options";

pub static RULES: &[Rule] = &[
    error("mount-destination-empty", MOUNTS, "the destination of a mount is not empty", |root, found| {
        found.unless(destinations(root), |text| !text.is_empty(), |_| "the destination is empty".to_string());
    }),
    warning("mount-destination", MOUNTS, "the destination of a mount is an absolute path", |root, found| {
        let good = |text: &str| text.is_empty() || is_absolute(text);
        found.unless(destinations(root), good, |text| format!("{text:?} is relative, which is deprecated"));
    }),
    error("mount-bind-source", MOUNTS, "a bind mount has a source", |root, found| {
        for mount in root.list(&["mounts"]) {
            let missing = mount.text_at("source").unwrap_or_default().is_empty();
            if is_bind(&mount) && !mount.lists("options", "remount") && missing {
                found.at(mount.path, "a bind mount needs a source");
            }
        }
    }),
    warning("mount-type", POSIX, "a mount that is no bind mount has a filesystem type", |root, found| {
        for mount in root.list(&["mounts"]) {
            let missing = mount.text_at("type").unwrap_or_default().is_empty();
            if !is_bind(&mount) && !mount.lists("options", "remount") && missing {
                found.at(mount.path, "neither a type nor the option bind or rbind: there is nothing to mount");
            }
        }
    }),
    error("mount-idmap-pair", POSIX, "`uidMappings` and `gidMappings` of a mount come together", |root, found| {
        for mount in root.list(&["mounts"]) {
            for (one, other) in [("uidMappings", "gidMappings"), ("gidMappings", "uidMappings")] {
                if mount.get(one).is_some() && mount.get(other).is_none() {
                    found.at(&mount.path, format!("\"{one}\" must be specified along with \"{other}\""));
                }
            }
        }
    }),
    warning(
        "mount-idmap-option",
        POSIX,
        "a mount with id mappings has the option `idmap` or `ridmap`",
        |root, found| {
            for mount in root.list(&["mounts"]) {
                let mapped = mount.get("uidMappings").is_some() || mount.get("gidMappings").is_some();
                if mapped && !is_idmapped(&mount) {
                    found.at(mount.path, "older runtimes will ignore the mappings: add the option idmap or ridmap");
                }
            }
        },
    ),
    error(
        "mount-idmap-source",
        OPTIONS,
        "an id-mapped mount has mappings, or the container a user namespace",
        idmap_source,
    ),
    warning(
        "default-filesystem",
        "config-linux.md#default-filesystems",
        "a container with a process has /proc, /sys, /dev/pts and /dev/shm",
        default_filesystem,
    ),
    error("masked-path", "config-linux.md#masked-paths", "masked paths are absolute", |root, found| {
        absolute(found, root.list(&["linux", "maskedPaths"]));
    }),
    error("readonly-path", "config-linux.md#readonly-paths", "read-only paths are absolute", |root, found| {
        absolute(found, root.list(&["linux", "readonlyPaths"]));
    }),
    error(
        "rootfs-propagation",
        "config-linux.md#rootfs-mount-propagation",
        "`rootfsPropagation` is shared, slave, private or unbindable (or its recursive form)",
        |root, found| {
            const KNOWN: &[&str] =
                &["", "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"];
            one_of(found, root.find(&["linux", "rootfsPropagation"]), KNOWN, "mount propagation");
        },
    ),
];

fn destinations<'v>(root: &Node<'v>) -> impl Iterator<Item = Node<'v>> {
    root.list(&["mounts"]).into_iter().filter_map(|mount| mount.get("destination"))
}

/// Some tools write the type `bind` and leave the option out; every runtime takes it.
fn is_bind(mount: &Node) -> bool {
    mount.lists("options", "bind") || mount.lists("options", "rbind") || mount.text_at("type") == Some("bind")
}

fn is_idmapped(mount: &Node) -> bool {
    mount.lists("options", "idmap") || mount.lists("options", "ridmap")
}

fn idmap_source(root: &Node, found: &mut Findings) {
    for mount in root.list(&["mounts"]) {
        let mapped = mount.get("uidMappings").is_some() || mount.get("gidMappings").is_some();
        if is_idmapped(&mount) && !mapped && !has_namespace(root, "user") {
            found.at(mount.path, "idmap without mappings takes those of the user namespace, and there is none");
        }
    }
}

/// A bind of a folder above may bring them along.
fn default_filesystem(root: &Node, found: &mut Findings) {
    if root.get("process").is_none() || ["vm", "windows", "zos", "freebsd"].iter().any(|name| root.get(name).is_some())
    {
        return;
    }
    let mounts = root.list(&["mounts"]);
    let brings = |path: &str| {
        mounts.iter().any(|mount| {
            let target = mount.text_at("destination").unwrap_or_default().trim_end_matches('/');
            target == path || is_bind(mount) && path.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let missing: Vec<&str> =
        ["/proc", "/sys", "/dev/pts", "/dev/shm"].into_iter().filter(|path| !brings(path)).collect();
    if !missing.is_empty() {
        found.at("$.mounts", format!("programs expect {} too", missing.join(", ")));
    }
}

fn absolute<'v>(found: &mut Findings, nodes: impl IntoIterator<Item = Node<'v>>) {
    found.unless(nodes, is_absolute, |text| format!("{text:?} is not absolute"));
}
