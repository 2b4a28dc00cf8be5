//! `rootless-helper`: an OCI runtime, and the few things beside it that need mapped ids. Verbs: docs/contract.md.
#![cfg_attr(not(feature = "layers"), allow(dead_code))] // What only the larger program uses.

#[cfg(target_os = "linux")]
mod agent;
#[cfg(target_os = "linux")]
mod ahead;
#[cfg(all(target_os = "linux", feature = "layers"))]
mod archive;
#[cfg(target_os = "linux")]
mod args;
#[cfg(target_os = "linux")]
mod atomic;
#[cfg(target_os = "linux")]
mod begun;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod channel;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod companion;
#[cfg(target_os = "linux")]
mod crash;
#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod enter;
#[cfg(target_os = "linux")]
mod failure;
#[cfg(target_os = "linux")]
mod foreground;
#[cfg(target_os = "linux")]
mod forwards;
#[cfg(target_os = "linux")]
mod halt;
#[cfg(target_os = "linux")]
mod hooks;
#[cfg(target_os = "linux")]
mod idmap;
#[cfg(target_os = "linux")]
mod init;
#[cfg(target_os = "linux")]
mod inside;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(target_os = "linux")]
mod keyring;
#[cfg(target_os = "linux")]
mod keys;
#[cfg(target_os = "linux")]
mod labels;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(target_os = "linux")]
mod launch;
mod layers;
#[cfg(target_os = "linux")]
mod log;
#[cfg(target_os = "linux")]
mod memory_policy;
#[cfg(target_os = "linux")]
mod middle;
#[cfg(target_os = "linux")]
mod monitor;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod notify;
#[cfg(target_os = "linux")]
mod override_stat;
#[cfg(target_os = "linux")]
mod owners;
#[cfg(all(target_os = "linux", feature = "layers"))]
mod pack;
#[cfg(target_os = "linux")]
mod pid1;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod procfs;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod resctrl;
#[cfg(target_os = "linux")]
mod rootfs;
#[cfg(target_os = "linux")]
mod sealed;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod state;
#[cfg(target_os = "linux")]
mod streams;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod systemd;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(target_os = "linux")]
mod timing;
#[cfg(target_os = "linux")]
mod uplink;
#[cfg(target_os = "linux")]
mod user;
#[cfg(target_os = "linux")]
mod userns;
#[cfg(feature = "layers")]
mod validate;
#[cfg(target_os = "linux")]
mod verbs;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let mut args = std::env::args_os();
    if args.next().is_some_and(|name| name.as_encoded_bytes() == pid1::INIT_NAME.to_bytes()) {
        let child = args.next().and_then(|pid| pid.to_str()?.parse().ok()).unwrap_or(0);
        return ExitCode::from(pid1::reap(child).unwrap_or(125));
    }
    let global = match args::global() {
        Ok(global) => global,
        Err(failure) => {
            report::Reporter::default().failure(&failure);
            return ExitCode::FAILURE;
        }
    };
    let reporter = global.reporter.share();
    let own_failure = args::code_of_own_failure(&global);
    match verbs::begin(global).and_then(verbs::Rest::finish) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            reporter.failure(&failure);
            ExitCode::from(own_failure.unwrap_or(failure.exit))
        }
    }
}

/// The WebAssembly build: what needs no kernel.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let verb = args.next().unwrap_or_default();
    let rest: Vec<_> = args.collect();
    ExitCode::from(match verb.to_str() {
        Some("validate") => validate::run(&rest),
        Some("layer") => layers::layer_verb(&rest),
        _ => {
            eprintln!("rootless-helper: validate KIND [FILE] | layer ls|check [FILE]");
            2
        }
    })
}
