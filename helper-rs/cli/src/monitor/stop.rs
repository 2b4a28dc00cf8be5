//! How a container is asked to end, and made to.

use super::Monitor;
use crate::failure::{During, Failure, Step};
use crate::sys::process;
use serde_json::json;
use std::time::{Duration, Instant};

/// Signals that end a program which has no handler for them.
const ENDING: &[i32] =
    &[libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM];

pub fn ends(signal: i32) -> bool {
    ENDING.contains(&signal)
}

/// The kernel drops a signal for pid 1 that has no handler, so a plain program as pid 1 could not be interrupted at all.
/// What would end it anywhere else ends it here.
pub fn would_be_ignored(pid: i32, signal: i32) -> bool {
    if !ends(signal) {
        return false;
    }
    let status = crate::procfs::text(pid, "status").unwrap_or_default();
    let has = |field: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(field)).map(str::trim).unwrap_or("0");
        u64::from_str_radix(mask, 16).unwrap_or(0) & (1 << (signal - 1)) != 0
    };
    !status.is_empty() && !has("SigCgt:") && !has("SigIgn:") && !has("SigBlk:")
}

impl Monitor {
    /// A signal for the first process.
    pub fn signal(&mut self, signal: i32) -> Step<()> {
        let gone = || Failure::because("state", "the container is not running").on(&self.place.id);
        let Some(life) = self.life.as_mut().filter(|life| !life.has_ended()) else { return Err(gone()) };
        let child = &life.launched.child;
        let sent = if life.is_pid_one && would_be_ignored(child.pid, signal) {
            life.killed_by = Some(signal);
            libc::SIGKILL
        } else {
            signal
        };
        process::send_signal(&child.pidfd, sent).during("wait", format!("signal {signal}"))
    }

    /// `kill` of a user: docker's rule is that SIGKILL and the stop signal are meant to end it for good.
    pub fn kill(&mut self, signal: i32) -> Step<()> {
        if !(1..=64).contains(&signal) {
            return Err(Failure::because("args", "not a signal").on(signal));
        }
        self.signal(signal)?;
        if signal == libc::SIGKILL || signal == self.options.stop.signal() {
            self.status.stopped();
            self.wake();
        }
        self.journal.say("kill", &[("signal", json!(signal))]);
        Ok(())
    }

    /// Asks, and makes it end when patience is over. A container that waits for its next life ends at once.
    pub fn stop(&mut self, signal: Option<i32>, patience: Option<Duration>) -> Step<()> {
        let signal = signal.unwrap_or_else(|| self.options.stop.signal());
        if !(1..=64).contains(&signal) {
            return Err(Failure::because("args", "not a signal").on(signal));
        }
        self.status.stopped();
        if self.again.take().is_some() {
            self.status.phase(super::Phase::Exited);
            return Ok(());
        }
        let patience = patience.unwrap_or_else(|| self.options.stop.patience());
        if self.life.as_ref().is_none_or(|life| life.has_ended()) {
            return Ok(());
        }
        self.stopping = true;
        self.ask(signal, patience)
    }

    /// As a stop, but not by a user.
    pub fn ask_to_end(&mut self) {
        let (signal, patience) = (self.options.stop.signal(), self.options.stop.patience());
        let _ = self.ask(signal, patience);
    }

    fn ask(&mut self, signal: i32, patience: Duration) -> Step<()> {
        self.journal.say("kill", &[("signal", json!(signal))]);
        if patience.is_zero() {
            self.end_now();
            return Ok(());
        }
        self.signal(signal)?;
        self.wake();
        if let Some(life) = &mut self.life {
            let at = Instant::now().checked_add(patience);
            life.kill_at = [life.kill_at, at].into_iter().flatten().min();
        }
        Ok(())
    }

    /// What patience has come to an end with.
    pub fn press(&mut self, now: Instant) {
        let Some(life) = &mut self.life else { return };
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if !life.has_ended() && (is_due(life.kill_at) || is_due(life.over_at)) {
            (life.kill_at, life.over_at) = (None, None);
            self.end_now();
        }
    }

    /// SIGKILL to everything: by the cgroup where there is one; with pid 1 the kernel ends all of its namespace.
    pub fn end_now(&mut self) {
        let Some(life) = &self.life else { return };
        if let Some(path) = &life.launched.cgroup {
            let _ = std::fs::write(path.join("cgroup.kill"), "1");
        }
        let _ = process::send_signal(&life.launched.child.pidfd, libc::SIGKILL);
    }
}
