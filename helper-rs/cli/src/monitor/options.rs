//! `monitor.json`: what the monitor of a container is asked to do (docs/contract.md, "Monitor").

use crate::failure::{During, Failure, Step};
use crate::log::LogOptions;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole document; everything in it may be absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    pub log: LogOptions,
    /// The program's input stays open for whoever attaches (`-i`).
    pub stdin: bool,
    pub restart: Restart,
    pub stop: Stop,
    pub health: Option<Health>,
    /// Nanoseconds, as all times here.
    pub timeout: Option<u64>,
    pub pid_file: Option<PathBuf>,
    pub monitor_pid_file: Option<PathBuf>,
    pub notify: Option<Notify>,
    pub journal: Option<PathBuf>,
    pub facts: Facts,
    pub traces: Vec<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Restart {
    pub policy: Policy,
    /// At most so many in a row; without a number, or 0: any.
    pub retries: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    #[default]
    No,
    OnFailure,
    Always,
    UnlessStopped,
}

/// How the container is asked to end.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Stop {
    pub signal: Option<i32>,
    pub timeout: Option<u64>,
}

impl Stop {
    pub fn signal(&self) -> i32 {
        self.signal.filter(|signal| (1..=64).contains(signal)).unwrap_or(libc::SIGTERM)
    }

    /// docker's ten seconds unless something else was said.
    pub fn patience(&self) -> Duration {
        self.timeout.map_or(Duration::from_secs(10), Duration::from_nanos)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    pub test: Vec<String>,
    pub interval: Option<u64>,
    pub timeout: Option<u64>,
    pub start_period: Option<u64>,
    pub start_interval: Option<u64>,
    pub retries: Option<u32>,
    pub on_failure: OnFailure,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    #[default]
    None,
    Kill,
    Restart,
    Stop,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Notify {
    #[serde(default)]
    pub mode: NotifyMode,
    pub socket: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyMode {
    #[default]
    Conmon,
    Container,
    Healthy,
    Ignore,
}

/// What events and logs say of the container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Facts {
    pub name: String,
    pub image: String,
    pub labels: BTreeMap<String, String>,
}

const LARGEST: u64 = 4 << 20;

impl Options {
    pub fn read(file: &Path) -> Step<Options> {
        let size = file.metadata().during("bundle", file.display())?.len();
        if size > LARGEST {
            return Err(Failure::because("bundle", format!("it has {size} bytes")).on(file.display()));
        }
        let text = std::fs::read(file).during("bundle", file.display())?;
        serde_json::from_slice(&text).map_err(|error| Failure::because("config", error.to_string()).on(file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_document_has_dockers_defaults() {
        let options: Options = serde_json::from_str("{}").unwrap();
        assert_eq!(options.stop.signal(), libc::SIGTERM);
        assert_eq!(options.stop.patience(), Duration::from_secs(10));
        assert_eq!(options.restart.policy, Policy::No);
        assert!(options.health.is_none() && !options.stdin);
    }

    #[test]
    fn a_full_document_is_read() {
        let text = r#"{"log":{"driver":"plain","path":"/x","maxSize":5,"maxFile":2,"tag":"t","whenFull":"stop"},"stdin":true,
            "restart":{"policy":"unless-stopped","retries":3},"stop":{"signal":3,"timeout":5000000000},
            "health":{"test":["CMD","true"],"interval":1,"startPeriod":2,"startInterval":3,"retries":4,"onFailure":"restart"},
            "timeout":7,"pidFile":"/p","monitorPidFile":"/m","notify":{"mode":"healthy","socket":"@s"},"journal":"/j",
            "facts":{"name":"n","image":"i","labels":{"a":"b"}},"traces":["/t"],"unknown":1}"#;
        let options: Options = serde_json::from_str(text).unwrap();
        assert_eq!(options.restart.policy, Policy::UnlessStopped);
        assert_eq!(options.stop.signal(), 3);
        assert_eq!(options.stop.patience(), Duration::from_secs(5));
        let health = options.health.unwrap();
        assert_eq!((health.start_period, health.on_failure), (Some(2), OnFailure::Restart));
        assert_eq!(options.notify.unwrap().mode, NotifyMode::Healthy);
        assert_eq!(options.facts.labels["a"], "b");
    }

    #[test]
    fn a_signal_that_is_none_is_the_default() {
        let stop = Stop { signal: Some(99), timeout: None };
        assert_eq!(stop.signal(), libc::SIGTERM);
    }
}
