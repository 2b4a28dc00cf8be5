//! All processes of a cgroup at once: stopped, signalled, killed; and the cgroup removed.

use super::tree::is_populated;
use crate::failure::{During, Failure, Step};
use crate::sys::process;
use rustix::event::{poll, Timespec};
use std::fs;
use std::path::{Path, PathBuf};

/// Milliseconds that the kernel may take to stop or to end everything.
const PATIENCE: usize = 2000;

/// Stops or continues all processes; when this returns they are.
pub fn freeze(folder: &Path, frozen: bool) -> Step<()> {
    let file = folder.join("cgroup.freeze");
    fs::write(&file, if frozen { "1" } else { "0" }).during("cgroup", file.display())?;
    let wanted = if frozen { "frozen 1" } else { "frozen 0" };
    let done =
        || fs::read_to_string(folder.join("cgroup.events")).unwrap_or_default().lines().any(|line| line == wanted);
    if within_patience(done) {
        return Ok(());
    }
    if frozen {
        let _ = fs::write(&file, "0");
    }
    Err(Failure::because("cgroup", "its processes cannot be frozen").on(folder.display()))
}

pub fn is_frozen(folder: &Path) -> bool {
    fs::read_to_string(folder.join("cgroup.freeze")).is_ok_and(|text| text.trim() == "1")
}

/// A signal for every process, also for those that are born while it is sent.
pub fn signal_all(folder: &Path, signal: i32) -> Step<()> {
    if signal == libc::SIGKILL {
        return kill(folder);
    }
    let was_frozen = is_frozen(folder);
    // Nobody can be born in a cgroup that stands still.
    let held = !was_frozen && freeze(folder, true).is_ok();
    for pid in processes(folder)? {
        if let Ok(pidfd) = process::open_pidfd(pid) {
            let _ = process::send_signal(&pidfd, signal);
        }
    }
    match held {
        true => freeze(folder, false),
        false => Ok(()),
    }
}

/// `cgroup.kill` (Linux 5.14), else by hand until nobody is left.
fn kill(folder: &Path) -> Step<()> {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return Ok(());
    }
    let gone = || {
        for pid in processes(folder).unwrap_or_default() {
            let _ = process::open_pidfd(pid).and_then(|pidfd| process::send_signal(&pidfd, libc::SIGKILL));
        }
        !is_populated(folder)
    };
    match within_patience(gone) {
        true => Ok(()),
        false => Err(Failure::because("cgroup", "its processes do not end").on(folder.display())),
    }
}

/// Pids of the folder and of all below it.
pub fn processes(folder: &Path) -> Step<Vec<i32>> {
    let file = folder.join("cgroup.procs");
    let text = fs::read_to_string(&file).during("cgroup", file.display())?;
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for below in folders(folder) {
        pids.extend(processes(&below).unwrap_or_default());
    }
    Ok(pids)
}

/// Kills whatever is left and removes the folder with all below it.
pub fn remove(folder: &Path) {
    if !folder.exists() {
        return;
    }
    if is_populated(folder) {
        let _ = kill(folder);
    }
    within_patience(|| remove_tree(folder));
}

fn remove_tree(folder: &Path) -> bool {
    for below in folders(folder) {
        remove_tree(&below);
    }
    match fs::remove_dir(folder) {
        Err(error) => error.raw_os_error() != Some(libc::EBUSY),
        Ok(()) => true,
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

fn within_patience(mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..PATIENCE {
        if done() {
            return true;
        }
        let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
    }
    false
}
