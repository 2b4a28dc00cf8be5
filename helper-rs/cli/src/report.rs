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
    pub debug: bool,
}

impl Reporter {
    /// The same destinations again, for whoever reports after the verb is done.
    pub fn share(&self) -> Reporter {
        Reporter { events: self.events.clone(), log: self.log.clone(), json_log: self.json_log, debug: self.debug }
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
        let words = failure.in_words();
        if let Some(fd) = &self.events {
            write_all(fd, format!("{}\n", failure.to_json()).as_bytes());
        } else {
            let _ = match failure.of_program() {
                Some(line) => writeln!(std::io::stderr(), "{line}"),
                None => writeln!(std::io::stderr(), "rootless-helper: error: {words}"),
            };
        }
        self.log("error", &words);
    }

    /// What was left out of a container though its configuration asks for it, and is no reason to refuse it.
    pub fn warning(&self, message: &str) {
        match self.log {
            Some(_) => self.log("warning", message),
            None if self.events.is_none() => drop(writeln!(std::io::stderr(), "rootless-helper: warning: {message}")),
            None => {}
        }
    }

    /// With `--debug`: what this process is about to do.
    pub fn debug(&self, message: &str) {
        match self.log {
            _ if !self.debug => {}
            Some(_) => self.log("debug", message),
            None => drop(writeln!(std::io::stderr(), "{}", self.line("debug", message))),
        }
    }

    fn line(&self, level: &str, message: &str) -> String {
        let time = crate::state::now();
        match self.json_log {
            true => json!({ "level": level, "msg": message, "time": time }).to_string(),
            false => format!("time={time:?} level={level} msg={message:?}"),
        }
    }

    fn log(&self, level: &str, message: &str) {
        let Some(path) = &self.log else { return };
        let line = self.line(level, message);
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
