//! OCI hooks (config.md "POSIX-platform Hooks"): run with the state on stdin, killed at their time-out.

use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use crate::report::Reporter;
use crate::state;
use rootless_core::oci::runtime::Hook;
use rootless_core::oci::state::State;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::OwnedFd;
use rustix::fs::{fstat, memfd_create, MemfdFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{kill_process_group, Pid, Signal};
use std::collections::BTreeMap;
use std::io::{Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Files of the host that hooks write to (crun's `run.oci.hooks.stdout` and `run.oci.hooks.stderr`).
#[derive(Default)]
pub struct Output {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Output {
    /// Where the annotations name none, stdout is nobody's and stderr is for the error of a hook that failed.
    pub fn of(annotations: &BTreeMap<String, String>) -> Step<Output> {
        let open = |name: &str| {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOCTTY | OFlags::CLOEXEC;
            let path = annotations.get(&format!("run.oci.hooks.{name}"));
            path.map(|path| rustix::fs::open(path.as_str(), flags, Mode::from_raw_mode(0o600)).during("hook", path))
                .transpose()
        };
        Ok(Output { stdout: open("stdout")?, stderr: open("stderr")? })
    }
}

/// Runs hooks in order; the first that fails ends the list.
pub fn run(hooks: &[Hook], state: &State, point: &str) -> Step<()> {
    match hooks {
        [] => Ok(()),
        hooks => run_into(hooks, state, point, &Output::of(&state.annotations)?),
    }
}

/// The same in the container, where the host's files cannot be opened any more. As with runc and crun a hook stands in the bundle, as
/// long as that can be seen.
pub fn run_into(hooks: &[Hook], state: &State, point: &str, output: &Output) -> Step<()> {
    let text = serde_json::to_string(state).unwrap_or_default();
    let folder = Path::new(&state.bundle);
    let folder = (point != "startContainer" && folder.join(".").exists()).then_some(folder);
    for (index, hook) in hooks.iter().enumerate() {
        run_one(hook, &text, folder, output).map_err(|failure| {
            let reason = failure.message.unwrap_or_else(|| "could not be started".into());
            let message = format!("error running {point} hook #{index}: {point} hook {reason}");
            let target = format!("{point} {}", hook.path);
            Failure { target: Some(target), message: Some(message), index: Some(index), ..failure }
        })?;
    }
    Ok(())
}

/// Those that run when the container is gone. The standard: one that fails is reported, and stops nothing.
pub fn run_poststop(plan: &Plan, reporter: &Reporter) {
    let state = state::standard(plan, "stopped", None);
    for (index, hook) in plan.hooks.poststop.iter().enumerate() {
        if let Err(failure) = run(std::slice::from_ref(hook), &state, "poststop") {
            reporter.failure(&failure.at(index));
        }
    }
}

/// A hook that does not read its state is within its rights, and so is one that says a lot: both are files in memory, and
/// nobody waits for the other.
fn run_one(hook: &Hook, state: &str, folder: Option<&Path>, output: &Output) -> Step<()> {
    let said = memfd_create("hook", MemfdFlags::CLOEXEC).during("hook", "memfd")?;
    let copy = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 3).during("hook", "memfd");
    let stdout = output.stdout.as_ref().map(copy).transpose()?;
    let stderr = copy(output.stderr.as_ref().unwrap_or(&said))?;
    let mut command = Command::new(&hook.path);
    if let Some(name) = hook.args.first() {
        command.arg0(name);
    }
    command.args(hook.args.iter().skip(1)).process_group(0);
    command.stdin(Stdio::from(in_memory(state)?)).stderr(Stdio::from(stderr));
    command.stdout(stdout.map_or_else(Stdio::null, Stdio::from));
    folder.map(|folder| command.current_dir(folder));
    if let Some(env) = &hook.env {
        command.env_clear().envs(env.iter().filter_map(|entry| entry.split_once('=')));
    }
    let mut child = command.spawn().during("hook", &hook.path)?;
    let status = match hook.timeout {
        None => child.wait().during("hook", &hook.path)?,
        Some(seconds) => wait_at_most(&mut child, Duration::from_secs(u64::from(seconds)))?,
    };
    match status.success() {
        true => Ok(()),
        false => Err(Failure::because("hook", format!("{}{}", in_words(status), last_words(&said)))),
    }
}

/// What a filter does to a hook is told as shells tell it.
fn in_words(status: ExitStatus) -> String {
    match status.signal() {
        Some(libc::SIGSYS) => format!("was ended by {status}, bad system call"),
        Some(_) => format!("was ended by {status}"),
        None => format!("failed with exit code {}", status.code().unwrap_or_default()),
    }
}

fn in_memory(text: &str) -> Step<OwnedFd> {
    let fd = memfd_create("state", MemfdFlags::CLOEXEC).during("hook", "memfd")?;
    let mut file = std::fs::File::from(fd);
    file.write_all(text.as_bytes()).and_then(|()| file.rewind()).during("hook", "memfd")?;
    Ok(file.into())
}

/// At its time-out the hook is killed with all that it started and that did not leave its process group.
fn wait_at_most(child: &mut Child, patience: Duration) -> Step<ExitStatus> {
    let pid = i32::try_from(child.id()).unwrap_or(0);
    let pidfd = crate::sys::process::open_pidfd(pid).during("hook", pid)?;
    let timeout = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: 0 };
    let ended = loop {
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            other => break other.during("hook", pid)?,
        }
    };
    if ended == 0 {
        if let Some(group) = Pid::from_raw(pid) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
        return Err(
            Failure::because("hook", format!("timed out after {} s", patience.as_secs())).errno(Errno::TIMEDOUT)
        );
    }
    child.wait().during("hook", pid)
}

fn last_words(said: &OwnedFd) -> String {
    const MOST: u64 = 512;
    let size = fstat(said).map_or(0, |stat| stat.st_size as u64);
    let mut bytes = [0; MOST as usize];
    let got = rustix::io::pread(said, &mut bytes, size.saturating_sub(MOST)).unwrap_or(0);
    match String::from_utf8_lossy(&bytes[..got]).trim() {
        "" => String::new(),
        words => format!(", stderr: {words}"),
    }
}
