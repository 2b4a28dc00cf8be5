//! Processes stopped one by one, where there is no cgroup that could be frozen: SIGSTOP to all of them until no new one appears.

use crate::failure::{Failure, Step};
use crate::sys::process;
use rustix::event::{poll, Timespec};
use std::collections::{BTreeMap, BTreeSet};

/// A container that makes processes faster than they can be stopped is not paused.
const ROUNDS: usize = 200;

/// Stops all processes of the container whose first one is `init`; gives back those that it stopped: others stood still before.
pub fn stop_all(init: i32) -> Step<Vec<i32>> {
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
            return Ok(ours);
        }
        nap();
    }
    go_on(&ours);
    Err(Failure::because("wait", "its processes cannot be stopped").on(init))
}

/// The first process last: it sees its children as they were.
pub fn go_on(pids: &[i32]) {
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
    let stat = crate::procfs::text(pid, "stat").ok()?;
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
        let stopped = stop_all(pid).unwrap();
        assert_eq!(stopped.len(), 2);
        assert!(processes(pid).iter().all(|(_, state)| *state == 'T'));
        stopped.iter().for_each(|pid| assert!(send(*pid, libc::SIGCONT)));
        assert!(processes(pid).iter().any(|(_, state)| *state != 'T'));
        stopped.iter().for_each(|pid| assert!(send(*pid, libc::SIGKILL)));
        child.wait().unwrap();
    }
}
