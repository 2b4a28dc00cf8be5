//! config-linux.md: namespaces, and what only makes sense inside one (time offsets, sysctl, network devices).

use super::has_namespace;
use super::process::one_of;
use crate::validate::grammar::{is_absolute, is_component, is_interface_name};
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};
use std::collections::BTreeSet;

const NAMESPACES: &str = "config-linux.md#namespaces";
const TIME: &str = "config-linux.md#offset-for-time-namespace";
const SYSCTL: &str = "config-linux.md#sysctl";
const NET_DEVICES: &str = "config-linux.md#network-devices";
const TYPES: &[&str] = &["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"];

pub static RULES: &[Rule] = &[
    error(
        "namespace-type",
        NAMESPACES,
        "the type of a namespace is one that the specification lists",
        |root, found| {
            let types = root.list(&["linux", "namespaces"]).into_iter().filter_map(|one| one.get("type"));
            one_of(found, types, TYPES, "namespace type");
        },
    ),
    error("namespace-duplicate", NAMESPACES, "no type of namespace stands twice", namespace_duplicate),
    error("namespace-path", NAMESPACES, "the path of a namespace is absolute", |root, found| {
        let paths = root.list(&["linux", "namespaces"]).into_iter().filter_map(|one| one.get("path"));
        found.unless(paths, |text| text.is_empty() || is_absolute(text), |text| format!("{text:?} is not absolute"));
    }),
    error("time-offset-namespace", TIME, "time offsets come with a new time namespace", |root, found| {
        let new =
            |one: &Node| one.text_at("type") == Some("time") && one.text_at("path").unwrap_or_default().is_empty();
        let offsets = !root.members(&["linux", "timeOffsets"]).is_empty();
        if offsets && !root.list(&["linux", "namespaces"]).iter().any(new) {
            found.at("$.linux.timeOffsets", "offsets need a new namespace of type \"time\"");
        }
    }),
    error("time-offset-clock", TIME, "clocks with an offset are monotonic and boottime", |root, found| {
        for (name, node) in root.members(&["linux", "timeOffsets"]) {
            if !matches!(name, "monotonic" | "boottime") {
                found.at(node.path, format!("{name:?} is no clock with an offset"));
            }
        }
    }),
    error("time-offset-nanosecs", TIME, "nanoseconds are below 1000000000", |root, found| {
        for (_, node) in root.members(&["linux", "timeOffsets"]) {
            if node.integer_at("nanosecs").is_some_and(|nanoseconds| nanoseconds >= 1_000_000_000) {
                found.at(format!("{}.nanosecs", node.path), "a second has 1000000000 nanoseconds");
            }
        }
    }),
    error("sysctl-name", SYSCTL, "names of sysctls are words between dots or slashes", |root, found| {
        for (name, node) in root.members(&["linux", "sysctl"]) {
            if !dotted(name).split('/').all(is_component) {
                found.at(node.path, format!("{name:?} is no name below /proc/sys"));
            }
        }
    }),
    error("sysctl-namespace", SYSCTL, "sysctls belong to a namespace of the container", sysctl_namespace),
    warning(
        "net-device-namespace",
        NET_DEVICES,
        "network devices are moved into a network namespace",
        |root, found| {
            if !root.members(&["linux", "netDevices"]).is_empty() && !has_namespace(root, "network") {
                found.at(
                    "$.linux.netDevices",
                    "devices are moved into a namespace of type \"network\", and there is none",
                );
            }
        },
    ),
    error(
        "net-device-name",
        NET_DEVICES,
        "names of network devices have 1 to 15 bytes, no space, / or :",
        net_device_name,
    ),
    error("net-device-duplicate", NET_DEVICES, "no two network devices get the same name", net_device_duplicate),
];

fn namespace_duplicate(root: &Node, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for one in root.list(&["linux", "namespaces"]) {
        let Some(kind) = one.text_at("type") else { continue };
        if !seen.insert(kind) {
            found.at(one.path, format!("namespace {kind:?} stands twice"));
        }
    }
}

/// sysctl(8): the first separator that is met decides whether dots or slashes separate.
fn dotted(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name[at..].starts_with('.') => name
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => name.to_string(),
    }
}

/// The namespace that a sysctl is part of; `None` if it is the whole machine's.
fn sysctl_owner(path: &str) -> Option<&'static str> {
    const IPC: &[&str] = &[
        "kernel/msgmax",
        "kernel/msgmnb",
        "kernel/msgmni",
        "kernel/sem",
        "kernel/shmall",
        "kernel/shmmax",
        "kernel/shmmni",
        "kernel/shm_rmid_forced",
        "kernel/auto_msgmni",
        "kernel/msg_next_id",
        "kernel/sem_next_id",
        "kernel/shm_next_id",
    ];
    match path {
        _ if path.starts_with("net/") => Some("network"),
        _ if path.starts_with("fs/mqueue/") || IPC.contains(&path) => Some("ipc"),
        _ if path.starts_with("user/") => Some("user"),
        "kernel/hostname" | "kernel/domainname" => Some("uts"),
        "kernel/ns_last_pid" => Some("pid"),
        _ => None,
    }
}

fn sysctl_namespace(root: &Node, found: &mut Findings) {
    for (name, node) in root.members(&["linux", "sysctl"]) {
        match sysctl_owner(&dotted(name)) {
            Some(kind) if has_namespace(root, kind) => {}
            Some(kind) => found.at(node.path, format!("{name:?} needs a namespace of type {kind:?}: it is the host's")),
            None => found.at(node.path, format!("{name:?} is in no namespace: it would change the whole machine")),
        }
    }
}

fn net_device_name(root: &Node, found: &mut Findings) {
    for (host, node) in root.members(&["linux", "netDevices"]) {
        if !is_interface_name(host) {
            found.at(&node.path, format!("{host:?} cannot be a network device"));
        }
        let good = |text: &str| text.is_empty() || is_interface_name(text);
        found.unless(node.get("name"), good, |text| format!("{text:?} cannot be a network device"));
    }
}

fn net_device_duplicate(root: &Node, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (host, node) in root.members(&["linux", "netDevices"]) {
        let name = node.text_at("name").filter(|text| !text.is_empty()).unwrap_or(host);
        if !seen.insert(name) && !name.ends_with("%d") {
            found.at(node.path, format!("two devices would be {name:?}"));
        }
    }
}
