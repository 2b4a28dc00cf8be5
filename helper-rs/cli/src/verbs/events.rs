//! `events`: samples of a container's cgroup, and the moments at which the kernel killed for want of memory; lines of JSON, as runc's.

use super::resources::group;
use crate::args::{self, Argument, Global, Options};
use crate::cgroup::stats;
use crate::failure::{During, Failure, Step};
use crate::state::Saved;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const USUAL_INTERVAL: Duration = Duration::from_secs(5);

pub fn events(global: Global) -> Step<u8> {
    let (mut id, mut once, mut interval) = (None, false, USUAL_INTERVAL);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) if name == "stats" => once = true,
            Argument::Option(name) if name == "interval" => interval = duration(&given.text()?)?,
            Argument::Option(name) => return Err(args::unknown(&name)),
        }
    }
    let saved = Saved::read(&global.root, &args::required(id, "container id")?)?;
    if saved.status(&global.root)? == "stopped" {
        return Err(Failure::because("state", "container is not running").on(&saved.id));
    }
    let folder = group(&saved)?;
    if once {
        return say(&saved, "stats", stats::read(folder)).map(|_| 0);
    }
    follow(&saved, folder, interval)
}

/// Until the container ends, or the reader.
fn follow(saved: &Saved, folder: &Path, interval: Duration) -> Step<u8> {
    let init = saved.open()?;
    // The kernel tells a poll of it (POLLPRI) when it has changed; without the controller there is nothing to tell.
    let file = std::fs::File::open(folder.join("memory.events")).ok();
    let kills = || stats::keyed(folder, "memory.events", "oom_kill").unwrap_or(0);
    let mut killed = kills();
    let mut next = Instant::now();
    loop {
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            if !say(saved, "stats", stats::read(folder))? {
                return Ok(0);
            }
            next = Instant::now() + interval;
            continue;
        }
        let wait = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut sources = vec![PollFd::new(&init, PollFlags::IN)];
        sources.extend(file.as_ref().map(|file| PollFd::new(file, PollFlags::PRI)));
        match poll(&mut sources, Some(&wait)) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.during("wait", &saved.id)?,
        };
        let ended = sources[0].revents().contains(PollFlags::IN);
        let now = kills();
        if now > killed && !say(saved, "oom", Value::Null)? {
            return Ok(0);
        }
        killed = now.max(killed);
        if ended {
            return Ok(0);
        }
    }
}

/// In runc's order, which those who look at the text know.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Value::is_null")]
    data: Value,
}

/// False when nobody reads any more.
fn say(saved: &Saved, kind: &str, data: Value) -> Step<bool> {
    let event = serde_json::to_string(&Event { kind, id: &saved.id, data }).unwrap_or_default();
    let mut out = std::io::stdout();
    match writeln!(out, "{event}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        written => written.during("output", "stdout").map(|()| true),
    }
}

/// Go's way to write a time: `5s`, `100ms`, `1m30s`.
fn duration(text: &str) -> Step<Duration> {
    let wrong = || Failure::because("args", "not a time such as 5s").on(text);
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..unit_at].parse().map_err(|_| wrong())?;
        let after = &rest[unit_at..];
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        total += number
            * match &after[..end] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
        rest = &after[end..];
    }
    match total > 0.0 && total < 1e9 {
        true => Ok(Duration::from_secs_f64(total)),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_writes_them() {
        assert_eq!(duration("5s").unwrap(), Duration::from_secs(5));
        assert_eq!(duration("1m30s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("100ms").unwrap(), Duration::from_millis(100));
        for text in ["", "0s", "5", "s", "5x", "-1s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
