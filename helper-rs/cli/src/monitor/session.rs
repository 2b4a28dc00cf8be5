//! Programs that are entered into the container (exec, health checks): children of the monitor, with no process of ours beside them.
//!
//! ```text
//!   entering: middle process ─▶ pid, channel ─▶ its terminal, its filter's listener, end of file (executed) or a failure
//!   running:  its client has its streams; without one (any more) they are read and thrown away
//!   over:     reaped
//! ```

use super::queue::unblock;
use super::request::Exec;
use crate::cgroup;
use crate::channel::Message;
use crate::enter::{self, Entry};
use crate::failure::{During, Failure, Step};
use crate::middle::Middle;
use crate::plan::Plan;
use crate::sys::process::{self, Child};
use rootless_core::oci::runtime::Process;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{pipe_with, PipeFlags};
use serde_json::Value;
use std::path::Path;

/// Who wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Client,
    Detached,
    Check,
}

/// The container that is entered.
pub struct Target<'a> {
    pub id: &'a str,
    pub bundle: &'a Path,
    pub init: &'a Child,
    pub cgroup: Option<&'a Path>,
}

pub struct Session {
    pub number: u64,
    pub kind: Kind,
    middle: Option<Middle>,
    /// The pid pipe was read.
    knows_pid: bool,
    pid: Option<i32>,
    started: bool,
    pub code: Option<u8>,
    master: Option<OwnedFd>,
    /// The other end of its 0, and those of what it says.
    input: Option<OwnedFd>,
    outputs: [Option<OwnedFd>; 2],
    /// Its client is gone, or it never had one.
    pub orphaned: bool,
    /// Of a check: what it said, up to the most that is kept.
    pub said: Vec<u8>,
}

/// What became of an entry.
pub enum Progress {
    /// Nothing to be told yet.
    Goes,
    Listener(OwnedFd),
    Started,
    Failed(Failure),
}

/// Of a check's output.
pub const MOST_SAID: usize = 4096;

impl Session {
    pub fn start(number: u64, kind: Kind, exec: &Exec, target: &Target<'_>) -> Step<Session> {
        if exec.process["args"].as_array().is_none_or(Vec::is_empty) {
            return Err(Failure::because("args", "no program to run"));
        }
        let terminal = exec.process["terminal"] == true;
        let Streams { program: streams, input, outputs } = streams(kind, terminal)?;
        let cgroup = target.cgroup.map(|group| cgroup::open(&cgroup::for_new(target.init.pid, group))).transpose()?;
        let entry = Entry {
            pid: target.init.pid,
            init: target.init.pidfd.as_fd(),
            cgroup: cgroup.as_ref().map(AsFd::as_fd),
            own_cgroup: cgroup.is_some(),
            streams: &streams,
            preserve_fds: 0,
            plain_lines: false,
            die_with_parent: true,
        };
        let middle = enter::begin(&entry, || plan(exec, target))?;
        Ok(Session {
            number,
            kind,
            middle: Some(middle),
            knows_pid: false,
            pid: None,
            started: false,
            code: None,
            master: None,
            input,
            outputs,
            orphaned: kind != Kind::Client,
            said: Vec::new(),
        })
    }

    /// Where its pid will come from.
    pub fn pid_source(&self) -> Option<&OwnedFd> {
        self.middle.as_ref().filter(|_| !self.knows_pid).map(|middle| &middle.pid)
    }

    pub fn channel(&self) -> Option<BorrowedFd<'_>> {
        self.middle.as_ref().map(|middle| middle.channel.as_fd())
    }

    /// What nobody else reads; `at` is 0 or 1.
    pub fn drain(&self, at: usize) -> Option<&OwnedFd> {
        if !self.started || !self.orphaned {
            return None;
        }
        match at {
            0 => self.master.as_ref().or(self.outputs[0].as_ref()),
            _ => self.outputs[1].as_ref(),
        }
    }

    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    pub fn is_over(&self) -> bool {
        self.middle.is_none() && (self.code.is_some() || self.pid.is_none())
    }

    /// Its client hears of the end only after it heard of the beginning.
    pub fn result(&self) -> Option<u8> {
        self.code.filter(|_| self.started)
    }

    /// The middle process has said the number, or ended without.
    pub fn take_pid(&mut self) {
        let Some(middle) = self.middle.as_ref().filter(|_| !self.knows_pid) else { return };
        self.knows_pid = true;
        self.pid = middle.take_pid();
        self.reap();
    }

    pub fn take_message(&mut self) -> Progress {
        let Some(middle) = &self.middle else { return Progress::Goes };
        match middle.channel.receive(None) {
            Ok((Message::Terminal, Some(master))) => {
                unblock(&master);
                self.master = Some(master);
                Progress::Goes
            }
            Ok((Message::Listener, Some(listener))) => Progress::Listener(listener),
            Ok((Message::End, _)) => {
                self.take_pid();
                self.middle = None;
                match self.pid {
                    Some(_) => {
                        self.started = true;
                        Progress::Started
                    }
                    None => Progress::Failed(Failure::because("clone", "the middle process ended early")),
                }
            }
            Ok((message, _)) => self.fail(Failure::because("init", format!("{message:?} before exec"))),
            Err(failure) => self.fail(failure),
        }
    }

    fn fail(&mut self, failure: Failure) -> Progress {
        self.take_pid();
        self.middle = None;
        Progress::Failed(failure)
    }

    /// The descriptors that its client gets; the monitor keeps what it may have to read later.
    pub fn hand_over(&mut self, send: impl FnOnce(&[BorrowedFd<'_>])) {
        let ends = [&self.master, &self.input, &self.outputs[0], &self.outputs[1]];
        let fds: Vec<BorrowedFd<'_>> = ends.into_iter().flatten().map(AsFd::as_fd).collect();
        send(&fds);
        self.input = None;
    }

    /// Reads once what nobody else does; an end that has ended is closed.
    pub fn discard(&mut self, at: usize) {
        let mut block = [0; 16 << 10];
        let Some(source) = self.drain(at) else { return };
        match rustix::io::read(source, &mut block) {
            Ok(got) if got > 0 => {
                // One more than is kept, to know that there was more.
                let room = (MOST_SAID + 1).saturating_sub(self.said.len());
                if self.kind == Kind::Check {
                    self.said.extend_from_slice(&block[..got.min(room)]);
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            _ if at == 0 && self.master.is_some() => self.master = None,
            _ => self.outputs[at] = None,
        }
    }

    /// After SIGCHLD.
    pub fn reap(&mut self) {
        let Some(pid) = self.pid.filter(|_| self.code.is_none()) else { return };
        match process::wait(pid, false) {
            Ok(None) => {}
            Ok(Some((_, ended))) => self.code = Some(ended.status()),
            Err(_) => self.code = Some(128 + libc::SIGKILL as u8),
        }
    }

    pub fn kill(&mut self) {
        if let Some(middle) = self.middle.as_ref().filter(|_| !self.knows_pid) {
            middle.kill();
        }
        if let Some(pid) = self.pid.filter(|_| self.code.is_none()) {
            // Not reaped yet: the number is still its own.
            let _ = process::open_pidfd(pid).and_then(|pidfd| process::send_signal(pidfd, libc::SIGKILL));
        }
    }
}

#[derive(Default)]
struct Streams {
    program: [Option<OwnedFd>; 3],
    input: Option<OwnedFd>,
    outputs: [Option<OwnedFd>; 2],
}

/// The program can open its own pipe for reading and take away what poll(2) has announced: our ends never block.
fn streams(kind: Kind, terminal: bool) -> Step<Streams> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).during("console", "pipe");
    let said = || pipe().inspect(|(read, _)| unblock(read));
    let null =
        || rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).during("console", "/dev/null");
    if terminal {
        return Ok(Streams::default());
    }
    Ok(match kind {
        Kind::Detached => Streams { program: [Some(null()?), Some(null()?), Some(null()?)], ..Streams::default() },
        Kind::Check => {
            let (read, write) = said()?;
            let copy = rustix::io::fcntl_dupfd_cloexec(&write, 3).during("console", "pipe")?;
            Streams { program: [Some(null()?), Some(copy), Some(write)], input: None, outputs: [Some(read), None] }
        }
        Kind::Client => {
            let ((in_read, in_write), (out_read, out_write), (err_read, err_write)) = (pipe()?, said()?, said()?);
            Streams {
                program: [Some(in_read), Some(out_write), Some(err_write)],
                input: Some(in_write),
                outputs: [Some(out_read), Some(err_read)],
            }
        }
    })
}

/// Read and made in the middle process.
fn plan(exec: &Exec, target: &Target<'_>) -> Step<Plan> {
    let mut plan = Plan::read_again(target.id, target.bundle)?;
    plan.replace_process(merge(&plan.process, &exec.process)?);
    if exec.user.is_some() || exec.process.get("user").is_some() {
        plan.annotations.user.clone_from(&exec.user);
    }
    plan.annotations.groups.extend(exec.groups.iter().cloned());
    if exec.privileged {
        plan.filter = None;
    }
    Ok(plan)
}

/// What the request says of the process, and the container's own for the rest, but for its terminal.
fn merge(own: &Process, wish: &Value) -> Step<Process> {
    let wrong = |error: serde_json::Error| Failure::because("config", error.to_string());
    let mut process = serde_json::to_value(own).map_err(wrong)?;
    process["terminal"] = false.into();
    process["consoleSize"] = Value::Null;
    for (key, value) in wish.as_object().into_iter().flatten() {
        process[key] = value.clone();
    }
    serde_json::from_value(process).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_request_leaves_out_is_the_containers() {
        let own: Process = serde_json::from_value(json!({
            "terminal": true, "consoleSize": {"height": 1, "width": 2}, "args": ["a"], "env": ["A=1"], "cwd": "/x",
            "user": {"uid": 5, "gid": 6}, "noNewPrivileges": true, "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}]
        }))
        .unwrap();
        let merged = merge(&own, &json!({"args": ["b", "c"], "cwd": "/y"})).unwrap();
        assert_eq!((merged.args, merged.cwd.as_str(), merged.user.uid), (vec!["b".to_string(), "c".into()], "/y", 5));
        assert!(!merged.terminal && merged.console_size.is_none() && merged.no_new_privileges);
        assert_eq!((merged.env, merged.rlimits.len()), (vec!["A=1".to_string()], 1));
        let other = merge(&own, &json!({"terminal": true, "noNewPrivileges": false, "user": {"uid": 9}})).unwrap();
        assert!(other.terminal && !other.no_new_privileges);
        assert_eq!((other.user.uid, other.user.gid), (9, 0));
        assert!(merge(&own, &json!({"args": 7})).is_err());
    }

    #[test]
    fn a_program_that_reads_its_own_pipe_blocks_nobody_here() {
        for kind in [Kind::Check, Kind::Client] {
            let made = streams(kind, false).unwrap();
            let ends: Vec<&OwnedFd> = made.outputs.iter().flatten().collect();
            assert_eq!(ends.len(), if kind == Kind::Check { 1 } else { 2 });
            for end in ends {
                assert_eq!(rustix::io::read(end, &mut [0; 8]), Err(rustix::io::Errno::AGAIN), "{kind:?}");
            }
            // The program's own ends are as it expects them.
            for end in made.program.iter().flatten() {
                assert!(!rustix::fs::fcntl_getfl(end).unwrap().contains(OFlags::NONBLOCK), "{kind:?}");
            }
        }
    }
}
