//! OCI hooks (config.md "POSIX-platform Hooks"): run with the state on stdin, killed at their time-out.

use crate::failure::{During, Failure, Step};
use rootless_core::oci::runtime::Hook;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs hooks in order; the first that fails ends the list.
pub fn run(hooks: &[Hook], state: &str, point: &str) -> Step<()> {
    for (index, hook) in hooks.iter().enumerate() {
        run_one(hook, state)
            .map_err(|failure| Failure { target: Some(format!("{point} {}", hook.path)), ..failure }.at(index))?;
    }
    Ok(())
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
