//! Whether more can come: what status.json says of the container, and whether its monitor still runs.

use crate::state::start_time;
use rustix::fd::OwnedFd;
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Status {
    status: String,
    monitor: Option<Monitor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Monitor {
    pid: i32,
    start_time: String,
    boot_id: String,
}

pub enum Life {
    /// Not started yet.
    Ahead,
    /// With a descriptor that is readable when the monitor has ended.
    Now(OwnedFd),
    Over,
}

pub fn of(folder: &Path) -> Life {
    let Ok(text) = std::fs::read(folder.join("status.json")) else {
        return if folder.join("monitor.json").exists() { Life::Ahead } else { Life::Over };
    };
    let Ok(Status { status, monitor: Some(monitor) }) = serde_json::from_slice(&text) else { return Life::Over };
    match status.as_str() {
        "running" | "restarting" => monitor.watch().map_or(Life::Over, Life::Now),
        "created" => Life::Ahead,
        _ => Life::Over,
    }
}

impl Monitor {
    /// `None`: it has ended, or the number is another process's by now.
    fn watch(&self) -> Option<OwnedFd> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let pidfd = crate::sys::process::open_pidfd(self.pid).ok()?;
        let same = start_time(self.pid).ok().flatten().is_some_and(|time| time.to_string() == self.start_time);
        (same && boot.trim() == self.boot_id).then_some(pidfd)
    }
}
