//! `status.json`: what became of the container, replaced by rename at every change.

use crate::atomic;
use crate::failure::{errno_name, Failure};
use crate::state;
use serde::Serialize;
use serde_json::{json, Value};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Running,
    Restarting,
    Exited,
}

/// A process for good: pid, start time, boot.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    pid: i32,
    start_time: String,
    boot_id: String,
}

impl Named {
    pub fn ourselves() -> Named {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Named { pid, start_time: start_time(pid), boot_id: boot.trim().to_string() }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }
}

fn start_time(pid: i32) -> String {
    state::birth(pid).ok().flatten().map_or(0, |(time, _)| time).to_string()
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    status: Phase,
    monitor: Named,
    pid: i32,
    start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(skip_serializing_if = "is_false")]
    oom: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    restarts: u32,
    #[serde(skip_serializing_if = "is_false")]
    stopped: bool,
    #[serde(skip_serializing_if = "is_false")]
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub code: u8,
    pub signal: Option<i32>,
    pub oom: bool,
}

/// The record and its file.
pub struct Status {
    file: PathBuf,
    document: Document,
    /// The last one could not be written: it is tried again.
    pub unwritten: bool,
}

impl Status {
    pub fn new(file: PathBuf) -> Status {
        let document = Document {
            status: Phase::Running,
            monitor: Named::ourselves(),
            pid: 0,
            start_time: "0".into(),
            started: None,
            finished: None,
            code: None,
            signal: None,
            oom: false,
            error: None,
            restarts: 0,
            stopped: false,
            paused: false,
            health: None,
        };
        Status { file, document, unwritten: false }
    }

    pub fn monitor_pid(&self) -> i32 {
        self.document.monitor.pid()
    }

    pub fn running(&mut self, pid: i32) {
        let document = &mut self.document;
        document.status = Phase::Running;
        (document.pid, document.start_time) = (pid, start_time(pid));
        document.started = Some(state::now());
        (document.finished, document.code, document.signal, document.error) = (None, None, None, None);
        (document.oom, document.paused) = (false, false);
        self.write();
    }

    pub fn ended(&mut self, end: End, phase: Phase) {
        let document = &mut self.document;
        (document.status, document.finished) = (phase, Some(state::now()));
        (document.code, document.signal, document.oom) = (Some(end.code), end.signal, end.oom);
        document.paused = false;
        self.write();
    }

    /// A start that failed: the first one, or one of the policy's.
    pub fn failed(&mut self, failure: &Failure, phase: Phase) {
        let document = &mut self.document;
        (document.status, document.finished) = (phase, Some(state::now()));
        (document.code, document.signal, document.oom) = (Some(failure.exit), None, false);
        document.error = Some(facts(failure));
        self.write();
    }

    pub fn phase(&mut self, phase: Phase) {
        self.document.status = phase;
        self.write();
    }

    pub fn restarted(&mut self) {
        self.document.restarts += 1;
    }

    /// The container may not go on.
    pub fn error(&mut self, failure: &Failure) {
        self.document.error = Some(facts(failure));
        self.write();
    }

    pub fn is_stopped(&self) -> bool {
        self.document.stopped
    }

    pub fn stopped(&mut self) {
        if !self.document.stopped {
            self.document.stopped = true;
            self.write();
        }
    }

    pub fn paused(&mut self, paused: bool) {
        self.document.paused = paused;
        self.write();
    }

    pub fn health(&mut self, health: Value) {
        self.document.health = Some(health);
        self.write();
    }

    /// A full disk stops nobody: what was not written is written when there is room.
    pub fn write(&mut self) {
        let text = serde_json::to_vec(&self.document).unwrap_or_default();
        self.unwritten = atomic::write(&self.file, &text).is_err();
    }
}

/// The facts of a failure, as in events and answers.
pub fn facts(failure: &Failure) -> Value {
    let mut facts = json!({ "step": failure.step, "exit": failure.exit });
    if let Some(index) = failure.index {
        facts["index"] = json!(index);
    }
    if let Some(target) = &failure.target {
        facts["target"] = json!(target);
    }
    if let Some(errno) = failure.errno {
        facts["errno"] = json!(errno_name(errno));
    }
    if let Some(message) = &failure.message {
        facts["message"] = json!(message);
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &std::path::Path) -> Value {
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    #[test]
    fn a_life_is_recorded_and_a_restart_forgets_the_last_end() {
        let folder = std::env::temp_dir().join(format!("status-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("status.json");
        let mut status = Status::new(file.clone());
        let me = std::process::id() as i32;
        status.running(me);
        let first = read(&file);
        assert_eq!(first["status"], "running");
        assert_eq!(first["startTime"], start_time(me));
        assert_eq!(first["monitor"]["bootId"].as_str().map(str::len), Some(36));
        status.ended(End { code: 137, signal: Some(9), oom: true }, Phase::Restarting);
        let second = read(&file);
        assert_eq!(
            (&second["status"], &second["code"], &second["oom"]),
            (&json!("restarting"), &json!(137), &json!(true))
        );
        status.restarted();
        status.running(me);
        let third = read(&file);
        assert_eq!((third.get("code"), third.get("oom"), &third["restarts"]), (None, None, &json!(1)));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_record_that_cannot_be_written_is_remembered() {
        let mut status = Status::new("/proc/nonexistent/status.json".into());
        status.paused(true);
        assert!(status.unwritten);
    }

    #[test]
    fn facts_of_a_failure_have_names() {
        let failure = Failure::new("exec").errno(2).on("/bin/x").exit(127);
        assert_eq!(facts(&failure), json!({"step": "exec", "target": "/bin/x", "errno": "ENOENT", "exit": 127}));
    }
}
