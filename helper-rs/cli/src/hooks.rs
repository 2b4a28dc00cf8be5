//! OCI hooks (config.md "POSIX-platform Hooks"): run with the state on stdin, killed at their time-out.

use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use crate::report::Reporter;
use crate::state;
use rootless_core::oci::runtime::Hook;
use rootless_core::oci::state::State;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs hooks in order; the first that fails ends the list.
pub fn run(hooks: &[Hook], state: &State, point: &str) -> Step<()> {
    let state = serde_json::to_string(state).unwrap_or_default();
    for (index, hook) in hooks.iter().enumerate() {
        run_one(hook, &state)
            .map_err(|failure| Failure { target: Some(format!("{point} {}", hook.path)), ..failure }.at(index))?;
    }
    Ok(())
}

/// Those that run when the container is gone. The standard: one that fails is reported, and stops nothing.
pub fn run_poststop(plan: &Plan, reporter: &Reporter) {
    if let Err(failure) = run(&plan.hooks.poststop, &state::standard(plan, "stopped", None), "poststop") {
        reporter.failure(&failure);
    }
}

fn run_one(hook: &Hook, state: &str) -> Step<()> {
    let mut command = Command::new(&hook.path);
    if let Some(name) = hook.args.first() {
        command.arg0(name);
    }
    command
        .args(hook.args.iter().skip(1))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    for (key, value) in hook.env.iter().filter_map(|entry| entry.split_once('=')) {
        command.env(key, value);
    }
    let mut child = command.spawn().during("hook", &hook.path)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook that does not read its state is within its rights.
        let _ = stdin.write_all(state.as_bytes());
    }
    let deadline = hook.timeout.map(|seconds| Instant::now() + Duration::from_secs(u64::from(seconds)));
    let status = loop {
        if let Some(deadline) = deadline {
            if let Some(status) = child.try_wait().during("hook", &hook.path)? {
                break status;
            }
            if Instant::now() >= deadline {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::because("hook", "timed out"));
            }
            std::thread::sleep(Duration::from_millis(5));
        } else {
            break child.wait().during("hook", &hook.path)?;
        }
    };
    if status.success() {
        Ok(())
    } else {
        Err(Failure::because("hook", status.to_string()))
    }
}
