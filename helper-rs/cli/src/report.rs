//! Where the helper reports: events as JSON lines, failures as one line on stderr and in the engine's log file.

use crate::failure::Failure;
use rustix::fd::{AsFd, OwnedFd};
use serde_json::{json, Value};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;

/// Options before the verb.
#[derive(Default)]
pub struct Reporter {
    pub events: Option<Rc<OwnedFd>>,
    pub log: Option<PathBuf>,
    /// `--log-format json`, as podman and containerd parse it.
    pub json_log: bool,
}

impl Reporter {
    /// The same destinations again, for whoever reports after the verb is done.
    pub fn share(&self) -> Reporter {
        Reporter { events: self.events.clone(), log: self.log.clone(), json_log: self.json_log }
    }

    /// Writes one event; a reader that is gone is no reason to stop.
    pub fn event(&self, event: &Value) {
        if let Some(fd) = &self.events {
            write_all(fd, format!("{event}\n").as_bytes());
        }
    }

    /// A descriptor of one's own for events.
    pub fn copy_of_events(&self) -> Option<OwnedFd> {
        self.events.as_ref().and_then(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3).ok())
    }

    /// The caller has left: nothing more is said, and it sees the end of the events.
    pub fn silence(&self) {
        if let (Some(events), Ok(null)) = (&self.events, std::fs::File::create("/dev/null")) {
            let _ = crate::sys::process::replace(events, null.as_fd());
        }
    }

    pub fn failure(&self, failure: &Failure) {
        if let Some(fd) = &self.events {
            write_all(fd, format!("{}\n", failure.to_json()).as_bytes());
        } else {
            let _ = writeln!(std::io::stderr(), "rootless-helper: {failure}");
        }
        let Some(path) = &self.log else { return };
        let line = if self.json_log {
            json!({ "level": "error", "msg": failure.to_string(), "time": crate::state::now() }).to_string()
        } else {
            format!("time={:?} level=error msg={:?}", crate::state::now(), failure.to_string())
        };
        if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
            let _ = writeln!(file, "{line}");
        }
    }
}

fn write_all(fd: &OwnedFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
