//! One life of a container: launched, watched, ended, and perhaps followed by another.

use super::caller::has_input;
use super::pause::Paused;
use super::status::{End, Phase};
use super::Monitor;
use crate::companion::Companion;
use crate::failure::{During, Failure, Step};
use crate::keeper::Keeper;
use crate::launch::{self, LaunchOptions, Launched, Partial};
use crate::monitor::hub::Hub;
use crate::plan::Plan;
use crate::sys::process::{self, Ended};
use crate::{cgroup, hooks, network, state};
use rustix::fd::OwnedFd;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where other processes may still hold a stream open, this much silence ends it, and this much time in any case.
const QUIET: Duration = Duration::from_millis(100);
const LAST_WORDS: Duration = Duration::from_secs(10);

pub struct Life {
    pub launched: Launched,
    /// Where no companion's guardian does its work.
    keeper: Option<Keeper>,
    pub is_pid_one: bool,
    pub started: Instant,
    /// The signal that would have ended it, had it not been pid 1.
    pub killed_by: Option<i32>,
    /// When patience with a stop, or with its whole time, ends.
    pub kill_at: Option<Instant>,
    pub over_at: Option<Instant>,
    pub paused: Option<Paused>,
    ended: Option<Ended>,
    ended_at: Option<Instant>,
    pub heard: Instant,
}

impl Life {
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// It ended, and all it said was read.
    pub fn is_over(&self, hub: &Hub) -> bool {
        let Some(at) = self.ended_at else { return false };
        hub.is_drained() || self.heard.elapsed() >= QUIET || at.elapsed() >= LAST_WORDS
    }

    pub fn deadline(&self, hub: &Hub) -> Option<Instant> {
        if let Some(at) = self.ended_at {
            return Some(if hub.is_drained() { at } else { self.heard.max(at) + QUIET });
        }
        [self.kill_at, self.over_at].into_iter().flatten().min()
    }

    /// After SIGCHLD.
    pub fn reap(&mut self) {
        if self.ended.is_some() {
            return;
        }
        match process::wait(self.launched.child.pid, false) {
            Ok(None) => {}
            Ok(Some((_, ended))) => self.note_end(ended),
            // It cannot be waited for any more: it is gone all the same.
            Err(_) => self.note_end(Ended::Signal(libc::SIGKILL)),
        }
    }

    fn note_end(&mut self, ended: Ended) {
        self.ended = Some(ended);
        (self.ended_at, self.heard) = (Some(Instant::now()), Instant::now());
    }

    fn end(&self) -> End {
        let ended = match (self.ended.unwrap_or(Ended::Code(0)), self.killed_by) {
            (Ended::Signal(libc::SIGKILL), Some(signal)) => Ended::Signal(signal),
            (ended, _) => ended,
        };
        let signal = match ended {
            Ended::Signal(signal) => Some(signal),
            Ended::Code(_) => None,
        };
        End { code: ended.status(), signal, oom: self.launched.cgroup.as_deref().is_some_and(cgroup::was_oom_killed) }
    }
}

impl Monitor {
    /// Launches the bundle, records that it runs.
    pub fn begin(&mut self, plan: &mut Plan, options: LaunchOptions) -> Step<()> {
        let streams = match plan.process.terminal {
            true => Default::default(),
            false => self.hub.connect(self.wants_input())?,
        };
        let options = LaunchOptions { streams, ..options };
        if let Some(notifier) = &self.notifier {
            notifier.prepare(plan);
        }
        self.connect_network(options.network.clone())?;
        let mut partial = Partial::default();
        let reporter = &self.reporter;
        let mut created = |pid: i32| reporter.event(&json!({ "event": "created", "pid": pid }));
        let result = plan.stand_nearby().and_then(|()| launch::launch(plan, options, &mut partial, &mut created));
        self.userns = partial.userns.take().or(self.userns.take());
        let mut launched = match result {
            Ok(launched) => launched,
            Err(failure) => {
                partial.remove_cgroup();
                return Err(failure);
            }
        };
        self.userns = launched.userns.take().or(self.userns.take());
        let pid = launched.child.pid;
        let terminal = launched.terminal.take();
        self.life = Some(Life {
            launched,
            keeper: None,
            is_pid_one: launch::is_pid_one(plan),
            started: Instant::now(),
            killed_by: None,
            kill_at: None,
            over_at: self
                .options
                .timeout
                .filter(|time| *time > 0)
                .map(|time| Instant::now() + Duration::from_nanos(time)),
            paused: None,
            ended: None,
            ended_at: None,
            heard: Instant::now(),
        });
        if let Some(master) = terminal {
            self.hub.connect_terminal(master)?;
        }
        self.status.running(pid);
        write_pid(self.options.pid_file.as_deref(), pid)?;
        write_pid(self.options.monitor_pid_file.as_deref(), self.status.monitor_pid())?;
        self.journal.say("start", &[]);
        self.reporter.event(&json!({ "event": "running", "pid": pid }));
        self.fetch_companions();
        hooks::run(&plan.hooks.poststart, &state::standard(plan, "running", Some(pid)), "poststart")?;
        self.notify_running();
        self.keep();
        self.begin_checks(true);
        self.untidy();
        Ok(())
    }

    /// The program and all that was with it are gone: written down, cleaned up, and perhaps started again.
    pub fn end_life(&mut self) {
        self.halt_checks();
        let Some(life) = self.life.take() else { return };
        let end = life.end();
        self.hub.disconnect();
        self.end_of_life(life);
        self.last = end;
        let mut facts = vec![("exitCode", json!(end.code))];
        facts.extend(end.signal.map(|signal| ("signal", json!(signal))));
        if end.oom {
            self.journal.say("oom", &[]);
        }
        let ran = self.lived;
        let mut wait = self.back_off.next(&self.options.restart, end.code, self.status.is_stopped(), ran);
        if std::mem::take(&mut self.restarts_once) && !self.status.is_stopped() {
            wait = Some(Duration::ZERO);
        }
        self.status.ended(end, if wait.is_some() { Phase::Restarting } else { Phase::Exited });
        self.journal.say("die", &facts);
        if std::mem::take(&mut self.stopping) {
            self.journal.say("stop", &[]);
        }
        self.again = wait.map(|wait| Instant::now() + wait);
        // To the hooks each life is a container of its own; after the last one `run` does it.
        if self.again.is_some() && self.place.has_poststop {
            if let Ok(plan) = Plan::read(&self.place.id, &self.place.bundle) {
                hooks::run_poststop(&plan, &self.reporter);
            }
        }
    }

    /// Somebody has to end the container if this process is killed; and that one may be killed itself.
    pub fn keep(&mut self) {
        let Some(life) = self.life.as_mut().filter(|life| !life.has_ended()) else { return };
        let guarded = life
            .launched
            .companions
            .first()
            .is_some_and(|companion| companion.line().is_some() && !companion.is_gone());
        let kept = life.keeper.as_ref().is_some_and(|keeper| !keeper.is_gone());
        if !guarded && !kept {
            let launched = &life.launched;
            life.keeper = Keeper::start(&launched.child.pidfd, launched.cgroup.as_deref()).ok();
        }
    }

    /// What began early is where the caller was, and must not end with that.
    fn fetch_companions(&self) {
        let Some(launched) = self.life.as_ref().map(|life| &life.launched) else { return };
        if let Some(unit) = &launched.scope {
            cgroup::scope::fetch(unit, launched.companions.iter().map(Companion::number));
        }
    }

    /// To be watched: it is not always a child of this process.
    pub fn guardian(&self) -> Option<&OwnedFd> {
        self.life.as_ref()?.launched.companions.first()?.line()
    }

    pub fn lose_guardian(&mut self) {
        if let Some(life) = &mut self.life {
            life.launched.companions.first_mut().into_iter().for_each(Companion::lose);
        }
        self.keep();
    }

    /// In the foreground the input is the caller's, as long as that goes on.
    fn wants_input(&self) -> bool {
        match &self.caller {
            Some(caller) => caller.stdin().is_some(),
            None => {
                if self.detached {
                    self.options.stdin
                } else {
                    has_input()
                }
            }
        }
    }

    fn end_of_life(&mut self, mut life: Life) {
        self.end_sessions();
        self.lived = life.started.elapsed();
        let launched = &life.launched;
        let left = Partial {
            cgroup: launched.cgroup.clone(),
            scope: launched.scope.clone(),
            resctrl: launched.resctrl.clone(),
            userns: None,
        };
        if let Some(network) = &self.network {
            network.leave();
        }
        // pasta takes twenty milliseconds to end, in which the rest is tidied up.
        let companions = std::mem::take(&mut life.launched.companions);
        self.leaving = companions.into_iter().filter_map(Companion::dismiss).collect();
        // Whoever answers for the container ends here.
        drop(life);
        left.remove_cgroup();
    }

    /// The policy's next life. One that cannot be started counts as one that failed.
    pub fn live_again(&mut self) {
        self.status.restarted();
        let started = self.relaunch();
        self.forget_folder();
        match started {
            Ok(()) => self.journal.say("restart", &[]),
            Err(failure) => {
                self.abandon();
                let code = failure.exit;
                let wait = self.back_off.next(&self.options.restart, code, self.status.is_stopped(), Duration::ZERO);
                self.last = End { code, signal: None, oom: false };
                self.status.failed(&failure, if wait.is_some() { Phase::Restarting } else { Phase::Exited });
                self.again = wait.map(|wait| Instant::now() + wait);
            }
        }
    }

    /// Its memory is not the loop's.
    #[inline(never)]
    fn relaunch(&mut self) -> Step<()> {
        self.leaving.clear();
        let mut plan = Plan::read(&self.place.id, &self.place.bundle)?;
        let copy = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 3).during("clone", "user namespace");
        let userns = self.userns.as_ref().filter(|_| plan.new_user_namespace()).map(copy).transpose()?;
        let mut options = LaunchOptions {
            die_with_parent: true,
            root: self.place.root.clone(),
            userns,
            network: self.network.clone(),
            preserve_fds: self.place.preserve_fds,
            manager: cgroup::Manager::Together,
            ..LaunchOptions::default()
        };
        network::prepare(&mut plan, &mut options)?;
        self.begin(&mut plan, options)
    }

    /// A life that failed at its beginning.
    pub fn abandon(&mut self) {
        self.hub.disconnect();
        if let Some(life) = self.life.take() {
            let child = &life.launched.child;
            let _ = process::send_signal(&child.pidfd, libc::SIGKILL);
            if !life.has_ended() {
                let _ = process::wait_for(child.pid);
            }
            self.end_of_life(life);
        }
    }

    /// The launch may have to stand among its layers; the monitor keeps no folder busy.
    fn forget_folder(&self) {
        if self.detached {
            let _ = rustix::process::chdir("/");
        }
    }

    /// Something that the container may not go on without.
    pub fn stop_for(&mut self, failure: &Failure) {
        self.status.error(failure);
        self.end_now();
    }
}

fn write_pid(file: Option<&Path>, pid: i32) -> Step<()> {
    match file {
        Some(file) => crate::atomic::write_unnamed(file, pid.to_string().as_bytes()).during("state", file.display()),
        None => Ok(()),
    }
}
