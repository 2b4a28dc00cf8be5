//! Pause and resume: by the cgroup's freezer, or where the container has no cgroup by SIGSTOP to all of its processes, until no
//! new one appears.

use super::Monitor;
use crate::cgroup;
use crate::failure::{Failure, Step};
use crate::sys::process;
use rustix::event::{poll, Timespec};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A paused container, and how it goes on.
#[derive(Debug)]
pub enum Paused {
    Frozen,
    /// Processes that we have stopped; those that were stopped before stay so.
    Stopped(Vec<i32>),
}

/// A container that makes processes faster than they can be stopped is not paused.
const ROUNDS: usize = 200;

impl Monitor {
    pub fn pause(&mut self) -> Step<()> {
        let refuse = |reason: &str| Err(Failure::because("state", reason).on(&self.place.id));
        let Some(life) = self.life.as_mut().filter(|life| !life.has_ended()) else {
            return refuse("the container is not running");
        };
        if life.paused.is_some() {
            return refuse("the container is paused already");
        }
        let paused = match &life.launched.cgroup {
            Some(path) => freeze(path)?,
            None => stop_all(life.launched.child.pid)?,
        };
        life.paused = Some(paused);
        self.halt_checks();
        self.status.paused(true);
        self.journal.say("pause", &[]);
        Ok(())
    }

    pub fn resume(&mut self) -> Step<()> {
        let paused = self.life.as_mut().and_then(|life| life.paused.take());
        let Some(paused) = paused else {
            return Err(Failure::because("state", "the container is not paused").on(&self.place.id));
        };
        match (&paused, self.life.as_ref().and_then(|life| life.launched.cgroup.as_ref())) {
            (Paused::Frozen, Some(path)) => {
                if let Err(failure) = cgroup::freeze(path, false) {
                    self.life.as_mut().into_iter().for_each(|life| life.paused = Some(Paused::Frozen));
                    return Err(failure);
                }
            }
            (Paused::Frozen, None) => {}
            (Paused::Stopped(pids), _) => go_on(pids),
        }
        self.status.paused(false);
        self.journal.say("unpause", &[]);
        self.begin_checks(false);
        Ok(())
    }

    /// What is asked to end has to be able to.
    pub fn wake(&mut self) {
        if self.life.as_ref().is_some_and(|life| life.paused.is_some()) {
            let _ = self.resume();
        }
    }
}

fn freeze(path: &Path) -> Step<Paused> {
    cgroup::freeze(path, true)?;
    let frozen = || {
        let events = std::fs::read_to_string(path.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "frozen 1")
    };
    for _ in 0..ROUNDS {
        if frozen() {
            return Ok(Paused::Frozen);
        }
        nap();
    }
    cgroup::freeze(path, false)?;
    Err(Failure::because("cgroup", "its processes cannot be frozen").on(path.display()))
}

fn stop_all(init: i32) -> Step<Paused> {
    let mut ours = Vec::new();
    let mut before = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut running = 0;
        for (pid, state) in processes(init) {
            match state {
                'Z' | 'X' => {}
                'T' | 't' if round == 0 => drop(before.insert(pid)),
                'T' | 't' => {}
                _ => {
                    running += 1;
                    if send(pid, libc::SIGSTOP) && !ours.contains(&pid) && !before.contains(&pid) {
                        ours.push(pid);
                    }
                }
            }
        }
        if running == 0 {
            return Ok(Paused::Stopped(ours));
        }
        nap();
    }
    go_on(&ours);
    Err(Failure::because("wait", "its processes cannot be stopped").on(init))
}

/// The first process last: it sees its children as they were.
fn go_on(pids: &[i32]) {
    for pid in pids.iter().rev() {
        send(*pid, libc::SIGCONT);
    }
}

fn send(pid: i32, signal: i32) -> bool {
    process::open_pidfd(pid).and_then(|pidfd| process::send_signal(pidfd, signal)).is_ok()
}

fn nap() {
    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
}

/// All processes of the container with their states, by its pid namespace; where that is the host's, the first process and its
/// descendants.
fn processes(init: i32) -> Vec<(i32, char)> {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let own = namespace("self");
    let wanted = namespace(&init.to_string()).filter(|namespace| Some(namespace) != own.as_ref());
    let list = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = list.filter_map(|entry| entry.file_name().into_string().ok());
    let mut all = BTreeMap::new();
    let mut inside = BTreeSet::from([init]);
    for name in names {
        let (Ok(pid), Some((state, parent))) = (name.parse::<i32>(), stat(&name)) else { continue };
        all.insert(pid, (state, parent));
        if wanted.is_some() && namespace(&name) == wanted {
            inside.insert(pid);
        }
    }
    // Namespaces inside the container's are its own too: whatever descends from what is inside.
    let is_inside = |mut pid: i32| loop {
        if inside.contains(&pid) {
            return true;
        }
        match all.get(&pid) {
            Some((_, parent)) if *parent > 1 => pid = *parent,
            _ => return false,
        }
    };
    all.iter().filter(|(pid, _)| is_inside(**pid)).map(|(pid, (state, _))| (*pid, *state)).collect()
}

/// State and parent (proc_pid_stat(5)).
fn stat(pid: &str) -> Option<(char, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_stopped_and_go_on() {
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let pid = child.id() as i32;
        while processes(pid).len() < 2 {
            nap();
        }
        let Ok(Paused::Stopped(stopped)) = stop_all(pid) else { panic!("not stopped") };
        assert_eq!(stopped.len(), 2);
        assert!(processes(pid).iter().all(|(_, state)| *state == 'T'));
        stopped.iter().for_each(|pid| assert!(send(*pid, libc::SIGCONT)));
        assert!(processes(pid).iter().any(|(_, state)| *state != 'T'));
        stopped.iter().for_each(|pid| assert!(send(*pid, libc::SIGKILL)));
        child.wait().unwrap();
    }
}
