//! The exec sessions of a monitor: begun, told of, reaped.

use super::client::Role;
use super::request::Exec;
use super::serve::refusal;
use super::session::{Kind, Progress, Session, Target};
use super::Monitor;
use crate::failure::{Failure, Step};
use crate::plan::Plan;
use rustix::fd::OwnedFd;
use serde_json::{json, Value};

/// As many as a container may have at once.
const MOST: usize = 512;

impl Monitor {
    /// Enters one more program; answers the number of its session.
    pub fn enter(&mut self, kind: Kind, exec: &Exec) -> Step<u64> {
        let refuse = |reason: &str| Err(Failure::because("state", reason).on(&self.place.id));
        if self.sessions.len() >= MOST {
            return refuse("too many programs were entered into the container");
        }
        let Some(life) = &self.life else {
            return refuse(if self.again.is_some() {
                "the container is restarting"
            } else {
                "the container is not running"
            });
        };
        if life.has_ended() {
            return refuse("the container is not running");
        }
        if life.paused.is_some() {
            return refuse("the container is paused");
        }
        let target = Target {
            id: &self.place.id,
            bundle: &self.place.bundle,
            init: &life.launched.child,
            cgroup: life.launched.cgroup.as_deref(),
        };
        let number = self.next_session;
        let session = Session::start(number, kind, exec, &target)?;
        self.next_session += 1;
        self.sessions.push(session);
        if kind != Kind::Check {
            self.journal.say("exec_create", &about(number, exec));
        }
        Ok(number)
    }

    pub fn with_session(&mut self, number: u64, act: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.number == number) {
            act(session);
        }
    }

    pub fn take_message(&mut self, number: u64) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.number == number) else { return };
        let (kind, pid) = (session.kind, session.pid());
        match session.take_message() {
            Progress::Goes => {}
            Progress::Listener(listener) => self.answer_calls(&listener, pid),
            Progress::Started => self.tell_started(number),
            Progress::Failed(failure) => match kind {
                Kind::Check => self.check_failed(number, &failure),
                _ => self.tell(number, &refusal(&failure)),
            },
        }
    }

    /// The program's filter asks: the container's own answerer, or the engine's agent.
    fn answer_calls(&self, listener: &OwnedFd, pid: Option<i32>) {
        match self.life.as_ref().and_then(|life| life.launched.notifier.as_ref()) {
            Some(notifier) => drop(notifier.add(listener)),
            None => {
                if let Ok(plan) = Plan::read_again(&self.place.id, &self.place.bundle) {
                    let _ = crate::agent::send(&plan, pid.unwrap_or(0), listener);
                }
            }
        }
    }

    fn tell_started(&mut self, number: u64) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.number == number) else { return };
        if session.kind != Kind::Check {
            self.journal.say("exec_start", &[("execID", json!(number.to_string()))]);
        }
        let answer = json!({ "ok": true, "pid": session.pid() });
        let client = self.server.clients.iter_mut().find(|client| client.role == Role::Exec(number));
        match (client, session.kind) {
            (Some(client), Kind::Client) => session.hand_over(|fds| client.answer_with(&answer, fds)),
            (Some(client), _) => client.answer(&answer),
            (None, _) => session.hand_over(|_| {}),
        }
    }

    /// A later answer, to whoever still waits for it.
    fn tell(&mut self, number: u64, answer: &Value) {
        let waits = |role: Role| role == Role::Exec(number);
        if let Some(client) = self.server.clients.iter_mut().find(|client| waits(client.role)) {
            client.answer(answer);
            client.role = Role::Asking;
        }
    }

    /// Once a turn: ends are told, and who has nobody any more is read by us.
    pub fn tend_sessions(&mut self) {
        let ended: Vec<(u64, Kind, u8)> = self
            .sessions
            .iter()
            .filter_map(|session| Some((session.number, session.kind, session.result()?)))
            .collect();
        for (number, kind, code) in ended {
            match kind {
                Kind::Check => self.check_ended(number, code),
                _ => {
                    self.tell(number, &json!({ "code": code }));
                    let facts = [("execID", json!(number.to_string())), ("exitCode", json!(code))];
                    self.journal.say("exec_die", &facts);
                }
            }
            self.untidy();
        }
        let roles: Vec<Role> = self.server.clients.iter().map(|client| client.role).collect();
        for session in &mut self.sessions {
            session.orphaned |= !roles.contains(&Role::Exec(session.number));
        }
        self.sessions.retain(|session| !session.is_over());
    }

    /// With the container its programs end; those in its pid namespace have ended already.
    pub fn end_sessions(&mut self) {
        self.sessions.iter_mut().for_each(Session::kill);
    }
}

fn about(number: u64, exec: &Exec) -> [(&'static str, Value); 2] {
    let words = exec.process["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    [("execID", json!(number.to_string())), ("command", json!(words.collect::<Vec<_>>().join(" ")))]
}
