//! Runs the health checks: each is an exec session of the monitor's own, one at a time.

use super::client::Role;
use super::health::{Health, Outcome, Record, Rule};
use super::options::OnFailure;
use super::request::Exec;
use super::session::{Kind, Session, MOST_SAID};
use super::Monitor;
use crate::failure::{Failure, Step};
use crate::state;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use serde_json::json;
use std::time::{Duration, Instant};

/// The checks of a container, through all its lives.
pub struct Checks {
    rule: Rule,
    on_failure: OnFailure,
    record: Record,
    next: Option<Instant>,
    running: Option<Running>,
}

struct Running {
    session: u64,
    /// RFC 3339.
    start: String,
    began: Instant,
    kill_at: Instant,
}

impl Checks {
    pub fn new(options: &super::Options) -> Option<Checks> {
        let wish = options.health.as_ref()?;
        let rule = Rule::new(wish)?;
        Some(Checks { rule, on_failure: wish.on_failure, record: Record::new(), next: None, running: None })
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.running.as_ref().map(|running| running.kill_at).or(self.next)
    }

    fn plan_next(&mut self, started: Instant) {
        let wait = self.record.interval(&self.rule, started.elapsed());
        self.next = Instant::now().checked_add(wait);
    }
}

impl Monitor {
    /// A life begins, or goes on after a pause.
    pub fn begin_checks(&mut self, anew: bool) {
        let Some(started) = self.life.as_ref().map(|life| life.started) else { return };
        if let Some(checks) = &mut self.checks {
            if anew {
                checks.record.begin();
                self.status.health(checks.record.to_json());
            }
            checks.plan_next(started);
        }
    }

    /// No check runs while the container does not.
    pub fn halt_checks(&mut self) {
        let Some(checks) = &mut self.checks else { return };
        checks.next = None;
        if let Some(running) = checks.running.take() {
            self.with_session(running.session, Session::kill);
            self.answer_checks();
        }
    }

    /// What is due: a check, or its end.
    pub fn tend_checks(&mut self, now: Instant) {
        let Some(checks) = &mut self.checks else { return };
        if checks.running.as_ref().is_some_and(|running| running.kill_at <= now) {
            let said = format!("Health check exceeded timeout ({})", seconds(checks.rule.timeout));
            self.finish_check(-1, Some(said));
        } else if checks.running.is_none() && checks.next.is_some_and(|at| at <= now) {
            checks.next = None;
            if let Err(failure) = self.check() {
                self.note_check(state::now(), Duration::MAX, -1, failure.to_string());
            }
        }
    }

    /// Begins a check, unless one runs already.
    pub fn check(&mut self) -> Step<()> {
        let Some(checks) = &self.checks else {
            return Err(Failure::because("args", "the container has no health check").on(&self.place.id));
        };
        if checks.running.is_some() {
            return Ok(());
        }
        let exec = Exec { process: json!({ "args": checks.rule.args }), ..Exec::default() };
        let timeout = checks.rule.timeout;
        let session = self.enter(Kind::Check, &exec)?;
        if let Some(checks) = &mut self.checks {
            let began = Instant::now();
            let kill_at = began.checked_add(timeout).unwrap_or(began + Duration::from_secs(u64::from(u32::MAX)));
            checks.next = None;
            checks.running = Some(Running { session, start: state::now(), began, kill_at });
        }
        Ok(())
    }

    pub fn check_failed(&mut self, session: u64, failure: &Failure) {
        if self.is_checking(session) {
            self.finish_check(-1, Some(failure.to_string()));
        }
    }

    pub fn check_ended(&mut self, session: u64, code: u8) {
        if self.is_checking(session) {
            self.finish_check(i32::from(code), None);
        }
    }

    fn is_checking(&self, session: u64) -> bool {
        let running = self.checks.as_ref().and_then(|checks| checks.running.as_ref());
        running.is_some_and(|running| running.session == session)
    }

    /// The check that runs is over: by itself, or by our patience.
    fn finish_check(&mut self, code: i32, reason: Option<String>) {
        let Some(running) = self.checks.as_mut().and_then(|checks| checks.running.take()) else { return };
        let mut said = String::new();
        self.with_session(running.session, |session| {
            said = last_words(session);
            session.kill();
        });
        let output = match reason {
            Some(reason) if said.is_empty() => reason,
            Some(reason) => format!("{reason}: {said}"),
            None => said,
        };
        let age =
            self.life.as_ref().map_or(Duration::MAX, |life| running.began.saturating_duration_since(life.started));
        self.note_check(running.start, age, code, output);
    }

    fn note_check(&mut self, start: String, age: Duration, code: i32, output: String) {
        let Some(checks) = &mut self.checks else { return };
        let outcome = Outcome { start, end: state::now(), code, output: cut(output) };
        let changed = checks.record.add(&checks.rule, outcome, age);
        self.status.health(checks.record.to_json());
        if let Some(life) = self.life.as_ref().filter(|life| life.paused.is_none() && !life.has_ended()) {
            checks.plan_next(life.started);
        }
        self.answer_checks();
        if let Some(health) = changed {
            self.journal.say(&format!("health_status: {}", health.name()), &[]);
            match health {
                Health::Healthy => self.notify_healthy(),
                Health::Unhealthy => self.react(),
                Health::Starting => {}
            }
        }
    }

    /// podman's --health-on-failure.
    fn react(&mut self) {
        match self.checks.as_ref().map(|checks| checks.on_failure) {
            Some(OnFailure::Kill) => self.end_now(),
            Some(OnFailure::Stop) => drop(self.stop(None, None)),
            Some(OnFailure::Restart) => {
                self.restarts_once = true;
                self.ask_to_end();
            }
            Some(OnFailure::None) | None => {}
        }
    }

    /// Whoever asked for a check gets the last result.
    fn answer_checks(&mut self) {
        let Some(checks) = &self.checks else { return };
        let answer = match checks.record.last() {
            Some(last) => {
                let health = checks.record.health.name();
                json!({ "ok": true, "status": health, "exitCode": last.code, "output": last.output })
            }
            None => json!({ "ok": false, "exit": 125, "step": "state", "message": "the container is not running" }),
        };
        for client in self.server.clients.iter_mut().filter(|client| client.role == Role::Health) {
            client.answer(&answer);
            client.role = Role::Asking;
        }
    }
}

/// What is still in the pipe, without waiting for those who hold it open.
fn last_words(session: &mut Session) -> String {
    while let Some(source) = session.drain(0) {
        let mut fds = [PollFd::new(source, PollFlags::IN)];
        match poll(&mut fds, Some(&Timespec::default())) {
            Ok(count) if count > 0 && session.said.len() <= MOST_SAID => session.discard(0),
            _ => break,
        }
    }
    String::from_utf8_lossy(&session.said).into_owned()
}

/// As docker: what is too long ends in three dots.
fn cut(mut output: String) -> String {
    if output.len() > MOST_SAID {
        let end = (0..=MOST_SAID - 3).rev().find(|at| output.is_char_boundary(*at)).unwrap_or(0);
        output.truncate(end);
        output.push_str("...");
    }
    output
}

fn seconds(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else {
        format!("{}ms", time.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_is_cut_between_characters() {
        assert_eq!(cut("short".into()), "short");
        let long = cut("€".repeat(2000));
        assert!(long.len() <= MOST_SAID && long.ends_with("€..."));
    }

    #[test]
    fn a_timeout_is_named_in_words() {
        assert_eq!(
            (seconds(Duration::from_secs(30)), seconds(Duration::from_millis(1500))),
            ("30s".into(), "1500ms".into())
        );
    }
}
