//! config-linux.md: devices, and the list of allowed devices.

use super::process::one_of;
use crate::validate::grammar::is_absolute;
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};
use std::collections::BTreeMap;

const DEVICES: &str = "config-linux.md#devices";
const ALLOWED: &str = "config-linux.md#allowed-device-list";

pub static RULES: &[Rule] = &[
    error("device-type", DEVICES, "the type of a device is c, b, u or p", |root, found| {
        let types = root.list(&["linux", "devices"]).into_iter().filter_map(|one| one.get("type"));
        one_of(found, types, &["c", "b", "u", "p"], "type of device");
    }),
    error("device-path", DEVICES, "the path of a device is absolute", |root, found| {
        let paths = root.list(&["linux", "devices"]).into_iter().filter_map(|one| one.get("path"));
        found.unless(paths, is_absolute, |text| format!("{text:?} is not a full path"));
    }),
    error(
        "device-numbers",
        DEVICES,
        "devices other than pipes have major and minor numbers that exist",
        device_numbers,
    ),
    warning("device-mode", DEVICES, "`fileMode` has permission bits only, written in decimal", |root, found| {
        for device in root.list(&["linux", "devices"]) {
            if device.integer_at("fileMode").is_some_and(|mode| mode > 0o777) {
                found.at(
                    format!("{}.fileMode", device.path),
                    "a mode is at most 511 (octal 777); the number is decimal",
                );
            }
        }
    }),
    warning("device-duplicate", DEVICES, "no two devices have the same type and numbers", |root, found| {
        let identity = |one: &Node| {
            let kind =
                if one.text_at("type") == Some("u") { "c".to_string() } else { one.text_at("type")?.to_string() };
            (kind != "p").then_some(())?;
            Some(format!("{kind} {}:{}", one.integer_at("major")?, one.integer_at("minor")?))
        };
        duplicates(root, found, identity);
    }),
    error("device-path-duplicate", DEVICES, "no two devices have the same path", |root, found| {
        duplicates(root, found, |one| one.text_at("path").map(str::to_string));
    }),
    error("allowed-device-type", ALLOWED, "the type of an allowed device is a, c or b", |root, found| {
        let types = root.list(&["linux", "resources", "devices"]).into_iter().filter_map(|one| one.get("type"));
        one_of(found, types, &["", "a", "c", "b"], "type of device");
    }),
    error("allowed-device-access", ALLOWED, "`access` is made of r, w and m", |root, found| {
        let access = root.list(&["linux", "resources", "devices"]).into_iter().filter_map(|one| one.get("access"));
        found.unless(access, |text| text.chars().all(|c| "rwm".contains(c)), |text| format!("{text:?} is no access"));
    }),
];

/// The kernel has 12 bits for major and 20 for minor numbers (MKDEV).
fn device_numbers(root: &Node, found: &mut Findings) {
    for device in root.list(&["linux", "devices"]) {
        if device.text_at("type") == Some("p") {
            continue;
        }
        for (name, limit) in [("major", 1 << 12), ("minor", 1 << 20)] {
            match device.integer_at(name) {
                Some(number) if (0..limit).contains(&number) => {}
                Some(number) => found.at(format!("{}.{name}", device.path), format!("{number} is no {name} number")),
                None if device.get(name).is_none() => {
                    found.at(format!("{}.{name}", device.path), format!("\"{name}\" is required unless the type is p"));
                }
                None => {}
            }
        }
    }
}

fn duplicates(root: &Node, found: &mut Findings, identity: impl Fn(&Node) -> Option<String>) {
    let mut seen = BTreeMap::new();
    for device in root.list(&["linux", "devices"]) {
        let Some(own) = identity(&device) else { continue };
        match seen.get(&own) {
            Some(first) => found.at(device.path, format!("{own} is {first} already")),
            None => drop(seen.insert(own, device.path)),
        }
    }
}
