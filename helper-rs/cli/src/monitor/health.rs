//! Health checks: when they run, and what their results mean (docker's rules). Pure; `checks` runs them.

use super::options;
use serde_json::{json, Value};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

impl Health {
    pub fn name(self) -> &'static str {
        match self {
            Health::Starting => "starting",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        }
    }
}

/// What is asked for, with docker's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub args: Vec<String>,
    interval: Duration,
    pub timeout: Duration,
    start_period: Duration,
    start_interval: Duration,
    retries: u32,
}

impl Rule {
    /// `None`: there is nothing to check.
    pub fn new(wish: &options::Health) -> Option<Rule> {
        let (kind, rest) = wish.test.split_first()?;
        let args = match kind.as_str() {
            "CMD" => rest.to_vec(),
            "CMD-SHELL" => vec!["/bin/sh".into(), "-c".into(), rest.first()?.clone()],
            _ => return None,
        };
        let time = |nanos: Option<u64>, default: u64| match nanos {
            Some(nanos) if nanos > 0 => Duration::from_nanos(nanos),
            _ => Duration::from_secs(default),
        };
        (!args.is_empty()).then(|| Rule {
            args,
            interval: time(wish.interval, 30),
            timeout: time(wish.timeout, 30),
            start_period: time(wish.start_period, 0),
            start_interval: time(wish.start_interval, 5),
            retries: wish.retries.filter(|count| *count > 0).unwrap_or(3),
        })
    }
}

/// One check's result. Code -1: it could not run, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// RFC 3339.
    pub start: String,
    pub end: String,
    pub code: i32,
    pub output: String,
}

const REMEMBERED: usize = 5;

/// What the results of one life mean.
#[derive(Debug)]
pub struct Record {
    pub health: Health,
    streak: u32,
    log: VecDeque<Outcome>,
}

impl Record {
    pub fn new() -> Record {
        Record { health: Health::Starting, streak: 0, log: VecDeque::new() }
    }

    /// A new life: nothing is known of it, but the last results are kept.
    pub fn begin(&mut self) {
        (self.health, self.streak) = (Health::Starting, 0);
    }

    /// Until the next check, `age` after the start.
    pub fn interval(&self, rule: &Rule, age: Duration) -> Duration {
        if age < rule.start_period && self.health == Health::Starting {
            rule.start_interval
        } else {
            rule.interval
        }
    }

    /// A check that began `age` after the start has ended: the new health, if it is another.
    pub fn add(&mut self, rule: &Rule, outcome: Outcome, age: Duration) -> Option<Health> {
        let before = self.health;
        if outcome.code == 0 {
            (self.health, self.streak) = (Health::Healthy, 0);
        } else if before != Health::Starting || age >= rule.start_period {
            self.streak += 1;
            if self.streak >= rule.retries {
                self.health = Health::Unhealthy;
            }
        }
        if self.log.len() == REMEMBERED {
            self.log.pop_front();
        }
        self.log.push_back(outcome);
        (self.health != before).then_some(self.health)
    }

    pub fn last(&self) -> Option<&Outcome> {
        self.log.back()
    }

    pub fn to_json(&self) -> Value {
        let entry = |outcome: &Outcome| json!({ "start": outcome.start, "end": outcome.end, "exitCode": outcome.code, "output": outcome.output });
        let log: Vec<Value> = self.log.iter().map(entry).collect();
        json!({ "status": self.health.name(), "failingStreak": self.streak, "log": log })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: Value) -> Option<Rule> {
        Rule::new(&serde_json::from_value(json).unwrap())
    }

    fn outcome(code: i32) -> Outcome {
        Outcome { start: "s".into(), end: "e".into(), code, output: format!("said {code}") }
    }

    const LATE: Duration = Duration::from_secs(3600);

    #[test]
    fn the_test_is_a_command_or_a_line_for_the_shell() {
        assert_eq!(rule(json!({"test": ["CMD", "a", "b"]})).unwrap().args, ["a", "b"]);
        assert_eq!(rule(json!({"test": ["CMD-SHELL", "a || b"]})).unwrap().args, ["/bin/sh", "-c", "a || b"]);
        for nothing in [json!([]), json!(["NONE"]), json!(["CMD"]), json!(["CMD-SHELL"]), json!(["a"])] {
            assert_eq!(rule(json!({"test": nothing})), None);
        }
    }

    #[test]
    fn what_is_not_said_or_zero_is_dockers_default() {
        let rule = rule(json!({"test": ["CMD", "a"], "interval": 0, "retries": 0})).unwrap();
        assert_eq!((rule.interval, rule.timeout, rule.retries), (Duration::from_secs(30), Duration::from_secs(30), 3));
        assert_eq!((rule.start_period, rule.start_interval), (Duration::ZERO, Duration::from_secs(5)));
    }

    #[test]
    fn so_many_failures_in_a_row_are_unhealthy_and_one_success_is_healthy() {
        let rule = rule(json!({"test": ["CMD", "a"], "retries": 2})).unwrap();
        let mut record = Record::new();
        assert_eq!(record.add(&rule, outcome(1), LATE), None);
        assert_eq!(record.health, Health::Starting);
        assert_eq!(record.add(&rule, outcome(-1), LATE), Some(Health::Unhealthy));
        assert_eq!(record.add(&rule, outcome(2), LATE), None);
        assert_eq!(record.to_json()["failingStreak"], 3);
        assert_eq!(record.add(&rule, outcome(0), LATE), Some(Health::Healthy));
        assert_eq!(record.add(&rule, outcome(1), LATE), None);
        assert_eq!((record.health, record.streak), (Health::Healthy, 1));
    }

    #[test]
    fn failures_do_not_count_while_it_starts() {
        let rule = rule(json!({"test": ["CMD", "a"], "retries": 1, "startPeriod": 10_000_000_000_u64, "interval": 1, "startInterval": 2})).unwrap();
        let mut record = Record::new();
        let early = Duration::from_secs(5);
        assert_eq!(record.interval(&rule, early), Duration::from_nanos(2));
        assert_eq!(record.add(&rule, outcome(1), early), None);
        assert_eq!((record.health, record.streak), (Health::Starting, 0));
        assert_eq!(record.add(&rule, outcome(0), early), Some(Health::Healthy));
        // Healthy once, it has started, whatever the period.
        assert_eq!(record.interval(&rule, early), Duration::from_nanos(1));
        assert_eq!(record.add(&rule, outcome(1), early), Some(Health::Unhealthy));
        record.begin();
        assert_eq!(record.interval(&rule, LATE), Duration::from_nanos(1));
        assert_eq!(record.health, Health::Starting);
    }

    #[test]
    fn the_last_five_results_are_kept() {
        let rule = rule(json!({"test": ["CMD", "a"]})).unwrap();
        let mut record = Record::new();
        for code in 0..9 {
            record.add(&rule, outcome(code), LATE);
        }
        let log = record.to_json()["log"].clone();
        let codes: Vec<i64> = log.as_array().unwrap().iter().map(|entry| entry["exitCode"].as_i64().unwrap()).collect();
        assert_eq!(codes, [4, 5, 6, 7, 8]);
    }
}
