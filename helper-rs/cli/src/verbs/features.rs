//! `features` (features.md) and `version`.

use super::state::{print, print_json};
use crate::args::{self, Global};
use crate::failure::Step;
use crate::memory_policy;
use rootless_core::lower::namespaces::KINDS;
use rootless_core::lower::{annotations, mounts};
use rootless_core::{caps, seccomp};
use serde_json::json;

/// The newest specification whose words are all known.
pub const SPEC: &str = "1.3.0";

pub fn features(global: &Global) -> Step<u8> {
    if let Some(operand) = global.rest.first() {
        return Err(args::surplus(operand));
    }
    let names = |list: &[&str]| {
        let mut names: Vec<String> = list.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };
    let flags: Vec<&str> = seccomp::flags::NAMES.iter().map(|(name, _)| *name).collect();
    print_json(&json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC,
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": mounts::OPTIONS,
        "linux": {
            "namespaces": names(&KINDS.iter().map(|(name, _, _)| *name).collect::<Vec<_>>()),
            "capabilities": caps::NAMES.to_vec(),
            "cgroup": { "v1": false, "v2": true, "systemd": true, "systemdUser": true, "rdma": true },
            "seccomp": {
                "enabled": true,
                "actions": names(seccomp::action::NAMES),
                "operators": names(seccomp::condition::NAMES),
                "archs": names(seccomp::arch::KNOWN),
                "knownFlags": names(&flags),
                "supportedFlags": names(&flags),
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "intelRdt": { "enabled": true, "schemata": true, "monitoring": true },
            "memoryPolicy": { "modes": names(&memory_policy::MODES), "flags": names(&memory_policy::flag_names()) },
            "mountExtensions": { "idmap": { "enabled": true } },
            "netDevices": { "enabled": true },
        },
        "annotations": {
            "io.rootless.version": env!("CARGO_PKG_VERSION"),
            "org.opencontainers.runc.checkpoint.enabled": "false",
        },
        "potentiallyUnsafeConfigAnnotations": annotations::NAMES,
    }))?;
    Ok(0)
}

pub fn version() -> Step<u8> {
    print(&format!("rootless-helper version {}\nspec: {SPEC}\n", env!("CARGO_PKG_VERSION")))?;
    Ok(0)
}
