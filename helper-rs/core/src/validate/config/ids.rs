//! config-linux.md, "User namespace mappings": extents of /proc/PID/uid_map, of the container and of id-mapped mounts.

use super::has_namespace;
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};

const SECTION: &str = "config-linux.md#user-namespace-mappings";
/// user_namespaces(7): since Linux 4.15.
const KERNEL_LIMIT: usize = 340;

pub static RULES: &[Rule] = &[
    error("mapping-size", SECTION, "a mapping has at least one id", |root, found| {
        for entry in lists(root).iter().flat_map(Node::items) {
            if entry.integer_at("size") == Some(0) {
                found.at(entry.path, "the size is 0: the kernel refuses it");
            }
        }
    }),
    error("mapping-range", SECTION, "the ids of a mapping end below 4294967295", |root, found| {
        for entry in lists(root).iter().flat_map(Node::items) {
            for name in ["containerID", "hostID"] {
                // (uid_t) -1 means "no id" and cannot be mapped.
                if extent(&entry, name).is_some_and(|ids| ids.end > i128::from(u32::MAX)) {
                    found.at(&entry.path, format!("the range from \"{name}\" ends after the last id"));
                }
            }
        }
    }),
    error("mapping-overlap", SECTION, "mappings of one list do not overlap", |root, found| {
        for list in lists(root) {
            overlap(&list, found);
        }
    }),
    warning("mapping-count", SECTION, "a list has at most 340 mappings (user_namespaces(7))", |root, found| {
        for list in lists(root) {
            let count = list.items().count();
            if count > KERNEL_LIMIT {
                found.at(list.path, format!("{count} mappings: the kernel takes {KERNEL_LIMIT}"));
            }
        }
    }),
    error("mapping-namespace", SECTION, "id mappings come with a user namespace", |root, found| {
        for name in ["uidMappings", "gidMappings"] {
            if !root.list(&["linux", name]).is_empty() && !has_namespace(root, "user") {
                found.at(format!("$.linux.{name}"), "mappings need a namespace of type \"user\", and there is none");
            }
        }
    }),
    warning(
        "user-namespace-mapping",
        SECTION,
        "a new user namespace has mappings for users and groups",
        |root, found| {
            for one in root.list(&["linux", "namespaces"]) {
                let new = one.text_at("path").unwrap_or_default().is_empty();
                if one.text_at("type") != Some("user") || !new {
                    continue;
                }
                for name in ["uidMappings", "gidMappings"] {
                    if root.list(&["linux", name]).is_empty() {
                        found.at(&one.path, format!("\"linux.{name}\" is empty: no id will exist inside"));
                    }
                }
            }
        },
    ),
];

/// Every list of mappings in the document.
fn lists<'v>(root: &Node<'v>) -> Vec<Node<'v>> {
    let names = ["uidMappings", "gidMappings"];
    let mut lists: Vec<Node> = names.iter().filter_map(|name| root.find(&["linux", name])).collect();
    for mount in root.list(&["mounts"]) {
        lists.extend(names.iter().filter_map(|name| mount.get(name)));
    }
    lists
}

/// Half-open.
fn extent(entry: &Node, name: &str) -> Option<std::ops::Range<i128>> {
    let from = entry.integer_at(name)?;
    Some(from..from + entry.integer_at("size")?)
}

fn overlap(list: &Node, found: &mut Findings) {
    for name in ["containerID", "hostID"] {
        let mut extents: Vec<_> = list.items().filter_map(|entry| Some((extent(&entry, name)?, entry.path))).collect();
        extents.sort_by_key(|(ids, _)| ids.start);
        for pair in extents.windows(2) {
            if let [(before, first), (after, second)] = pair {
                if after.start < before.end && !after.is_empty() {
                    found.at(second, format!("\"{name}\" overlaps {first}"));
                }
            }
        }
    }
}
