//! Documents of other platforms: nothing of them runs here, but tools that read them pass them on (config-freebsd.md, config-vm.md,
//! config-windows.md, config-zos.md).

use crate::validate::grammar::is_absolute;
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};
use crate::validate::shape::{optional, required, Object, Shape, TEXTS};
use std::collections::BTreeSet;

pub static RULES: &[Rule] = &[
    error(
        "freebsd-sharing",
        "config-freebsd.md#jail",
        "what a FreeBSD jail shares is new or inherit, and for addresses and System V objects disable too",
        freebsd_sharing,
    ),
    warning(
        "freebsd-network",
        "config-freebsd.md#jail",
        "a jail with a network of its own leaves `ip4` and `ip6` alone",
        |root, found| {
            let jail = root.find(&["freebsd", "jail"]);
            let Some(jail) = jail.filter(|jail| jail.text_at("vnet") == Some("new")) else { return };
            for node in ["ip4", "ip6"].into_iter().filter_map(|name| jail.get(name)) {
                found.at(node.path, "\"vnet\" is \"new\": the addresses are its own anyway");
            }
        },
    ),
    warning(
        "freebsd-devices",
        "config-freebsd.md#devices",
        "a FreeBSD container has a devfs at /dev",
        |root, found| {
            let is_devfs =
                |one: &Node| one.text_at("type") == Some("devfs") && one.text_at("destination") == Some("/dev");
            if root.get("freebsd").is_some() && !root.list(&["mounts"]).iter().any(is_devfs) {
                found.at("$.mounts", "there is no devfs at /dev");
            }
        },
    ),
    error(
        "vm-path",
        "config-vm.md#virtual-machine-specific-container-configuration",
        "the files of a virtual machine have absolute paths",
        |root, found| {
            let paths = [["hypervisor", "path"], ["kernel", "path"], ["kernel", "initrd"], ["image", "path"]];
            let nodes = paths.iter().filter_map(|[part, name]| root.find(&["vm", part, name]));
            found.unless(nodes, is_absolute, |text| format!("{text:?} is not absolute"));
        },
    ),
    error(
        "windows-layers",
        "config-windows.md#layerfolders",
        "`layerFolders` has at least one entry",
        |root, found| {
            let folders = root.find(&["windows", "layerFolders"]);
            if let Some(folders) = folders.filter(|folders| folders.value.as_array().is_some_and(Vec::is_empty)) {
                found.at(folders.path, "at least one folder is required");
            }
        },
    ),
    error(
        "zos-namespace",
        "config-zos.md#namespaces",
        "no type stands twice, and paths are absolute",
        |root, found| {
            let mut seen = BTreeSet::new();
            for one in root.list(&["zos", "namespaces"]) {
                let kind = one.text_at("type").unwrap_or_default();
                if !seen.insert(kind) {
                    found.at(&one.path, format!("namespace {kind:?} stands twice"));
                }
                found.unless(
                    one.get("path"),
                    |text| text.is_empty() || is_absolute(text),
                    |text| format!("{text:?} is not absolute"),
                );
            }
        },
    ),
];

fn freebsd_sharing(root: &Node, found: &mut Findings) {
    for (name, may_be_off) in [
        ("host", false),
        ("vnet", false),
        ("ip4", true),
        ("ip6", true),
        ("sysvmsg", true),
        ("sysvsem", true),
        ("sysvshm", true),
    ] {
        let good = |text: &str| matches!(text, "new" | "inherit") || may_be_off && text == "disable";
        found.unless(root.find(&["freebsd", "jail", name]), good, |text| format!("{text:?} is no way to share"));
    }
}

pub static VM: Object = Object {
    section: "config-vm.md#virtual-machine-specific-container-configuration",
    fields: &[
        optional("hypervisor", Shape::Object(&HYPERVISOR)),
        required("kernel", Shape::Object(&KERNEL)),
        optional("image", Shape::Object(&IMAGE)),
    ],
};

static HYPERVISOR: Object = Object {
    section: "config-vm.md#hypervisor-object",
    fields: &[required("path", Shape::Text), optional("parameters", TEXTS)],
};

static KERNEL: Object = Object {
    section: "config-vm.md#kernel-object",
    fields: &[required("path", Shape::Text), optional("parameters", TEXTS), optional("initrd", Shape::Text)],
};

static IMAGE: Object = Object {
    section: "config-vm.md#image-object",
    fields: &[required("path", Shape::Text), required("format", Shape::Text)],
};

pub static WINDOWS: Object =
    Object { section: "config-windows.md#layerfolders", fields: &[required("layerFolders", TEXTS)] };

pub static ZOS: Object = Object {
    section: "config-zos.md#namespaces",
    fields: &[optional("namespaces", Shape::List(&Shape::Object(&ZOS_NAMESPACE)))],
};

static ZOS_NAMESPACE: Object = Object {
    section: "config-zos.md#namespaces",
    fields: &[required("type", Shape::Text), optional("path", Shape::Text)],
};
