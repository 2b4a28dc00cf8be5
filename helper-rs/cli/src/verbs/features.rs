//! `features` (features.md), `version` and `help`.

use super::state::print_json;
use crate::failure::Step;
use rootless_core::lower::namespaces::KINDS;
use serde_json::json;

pub fn features() -> Step<u8> {
    let namespaces: Vec<&str> = KINDS.iter().map(|(name, _, _)| *name).collect();
    let capabilities: Vec<&str> = (0..=40).filter_map(rootless_core::caps::name).collect();
    print_json(&json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.2.1",
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": [
            "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "noatime", "nodev", "nodiratime",
            "noexec", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev", "rdiratime",
            "relatime", "rexec", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnosuid", "ro", "rprivate", "rro",
            "rrw", "rshared", "rslave", "rsuid", "runbindable", "rw", "shared", "slave", "strictatime", "suid",
            "symfollow", "sync", "tmpcopyup", "unbindable"
        ],
        "linux": {
            "namespaces": namespaces,
            "capabilities": capabilities,
            "cgroup": { "v1": false, "v2": true, "systemd": true, "systemdUser": true, "rdma": true },
            "seccomp": {
                "enabled": true,
                "actions": [
                    "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
                    "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"
                ],
                "operators": [
                    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
                    "SCMP_CMP_NE"
                ],
                "archs": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
                "knownFlags": [
                    "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
                    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
                ],
            },
            "apparmor": { "enabled": false },
            "selinux": { "enabled": false },
            "intelRdt": { "enabled": false },
            "mountExtensions": { "idmap": { "enabled": false } },
        },
        "annotations": { "io.rootless.version": env!("CARGO_PKG_VERSION") },
    }))?;
    Ok(0)
}

pub fn version() -> Step<u8> {
    println!("rootless-helper version {}\nspec: 1.2.1", env!("CARGO_PKG_VERSION"));
    Ok(0)
}

pub fn help_of(verb: &str) -> Step<u8> {
    println!("usage: rootless-helper {verb} [OPTION…] [CONTAINER [ARG…]]\n\nThe options are those of runc and crun; docs/contract.md lists what is ours.");
    Ok(0)
}

pub fn help() -> Step<u8> {
    println!(
        "rootless-helper {}: the OCI runtime behind rootless\n\n\
         usage: rootless-helper [--root DIR] [--log FILE] [--log-format text|json] [--events-fd N] VERB [ARG…]\n\n\
         OCI runtime:  create start run state kill delete exec list ps pause resume update events features spec\n\
         layers:       unpack flatten layer remove\n\
         others:       validate unshare probe version",
        env!("CARGO_PKG_VERSION")
    );
    Ok(0)
}
