//! The log of a container that writes to the journal, read with journalctl.

use super::follow::{Watch, Woken};
use super::life::{self, Life};
use super::print::Printer;
use super::{Stop, Wish};
use crate::clock;
use crate::failure::{During, Failure, Step};
use crate::log::Stream;
use rootless_records::record::Record;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::AsFd;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PROGRAMS: [&str; 2] = ["/usr/bin/journalctl", "/bin/journalctl"];

/// An entry of `journalctl --output=json`.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "MESSAGE")]
    message: Message,
    #[serde(rename = "PRIORITY", default)]
    priority: String,
    #[serde(rename = "CONTAINER_PARTIAL_MESSAGE")]
    partial: Option<String>,
    /// Microseconds since 1970.
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    time: String,
    #[serde(rename = "CONTAINER_TAG")]
    tag: Option<String>,
}

/// Bytes if it is no UTF-8, nothing if it is too large for journalctl.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Text(String),
    Bytes(Vec<u8>),
    Nothing(()),
}

pub fn print(id: &str, folder: &Path, wish: &Wish, printer: &mut Printer<'_>) -> Result<(), Stop> {
    let watch = wish.follow.then(|| Watch::new(&folder.join("log"), folder)).transpose()?;
    let follow = watch.as_ref().filter(|_| !matches!(life::of(folder), Life::Over));
    let mut child = start(id, wish, follow.is_some())?;
    let result = relay(&mut child, folder, follow, wish, printer);
    let _ = child.kill();
    let status = child.wait().during("log", "journalctl")?;
    result?;
    match status.code() {
        Some(0) | None => Ok(()),
        Some(code) => Err(Failure::because("log", format!("journalctl ended with {code}")).into()),
    }
}

fn start(id: &str, wish: &Wish, follow: bool) -> Step<Child> {
    let program = PROGRAMS.into_iter().find(|program| Path::new(program).exists());
    let program = program.ok_or_else(|| Failure::because("log", "journalctl is needed to read the journal"))?;
    let mut command = Command::new(program);
    command.args(["--output=json", "--all", "--quiet", "--no-pager"]).arg(format!("CONTAINER_ID_FULL={id}"));
    match wish.tail {
        Some(count) => drop(command.arg(format!("--lines={count}"))),
        None => drop(command.arg("--no-tail")),
    }
    if follow {
        command.arg("--follow");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().during("log", program)
}

fn relay(
    child: &mut Child,
    folder: &Path,
    follow: Option<&Watch>,
    wish: &Wish,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    let Some(mut output) = child.stdout.take() else { return Ok(()) };
    let mut lines = Vec::new();
    loop {
        if let Some(watch) = follow {
            match wait(&output, watch, folder, wish, printer)? {
                Some(true) => {}
                Some(false) => continue,
                None => return Ok(()),
            }
        }
        let mut block = [0; 64 << 10];
        let count = output.read(&mut block).during("log", "journalctl")?;
        if count == 0 {
            return Ok(());
        }
        lines.extend_from_slice(&block[..count]);
        let whole = memchr::memrchr(b'\n', &lines).map_or(0, |last| last + 1);
        for line in lines[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            entry(line, printer)?;
        }
        lines.drain(..whole);
        printer.flush()?;
    }
}

/// True: there is something to read. `None`: nothing more comes: the container has ended, and journalctl has been silent since.
fn wait(
    output: impl AsFd,
    watch: &Watch,
    folder: &Path,
    wish: &Wish,
    printer: &Printer<'_>,
) -> Result<Option<bool>, Stop> {
    if matches!(life::of(folder), Life::Over) {
        let quiet = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
        let ready = poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&quiet)).during("log", "poll")?;
        return Ok((ready > 0).then_some(true));
    }
    match watch.wait(Some(output.as_fd()), wish.until, printer.output())? {
        Woken::Ended => Ok(Some(true)),
        Woken::Change => Ok(Some(false)),
        Woken::Late => Err(Stop::Until),
        Woken::Closed => Err(Stop::Closed),
    }
}

fn entry(line: &[u8], printer: &mut Printer<'_>) -> Result<(), Stop> {
    let Ok(entry) = serde_json::from_slice::<Entry>(line) else { return Ok(()) };
    let time = clock::format(Duration::from_micros(entry.time.parse().unwrap_or(0)));
    let text = match entry.message {
        Message::Text(text) => text.into_bytes(),
        Message::Bytes(bytes) => bytes,
        Message::Nothing(_) => Vec::new(),
    };
    let tag = entry.tag.map(|tag| BTreeMap::from([("tag", tag)]));
    let attributes = tag.and_then(|tag| serde_json::to_vec(&tag).ok());
    printer.record(&Record {
        time: &time,
        stream: if entry.priority == "3" { Stream::Stderr } else { Stream::Stdout },
        text: Cow::Owned(text),
        ends: entry.partial.is_none(),
        attributes: attributes.as_deref(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::pipe;

    #[test]
    fn entries_become_lines() {
        let wish = Wish { details: true, ..Wish::default() };
        let (mut out, mut err) = (pipe().unwrap(), pipe().unwrap());
        let mut printer = Printer::to(&wish, [out.1, err.1]);
        for line in [
            r#"{"MESSAGE":"one","PRIORITY":"6","__REALTIME_TIMESTAMP":"1","CONTAINER_PARTIAL_MESSAGE":"true"}"#,
            r#"{"MESSAGE":[255,10],"PRIORITY":"6","__REALTIME_TIMESTAMP":"2"}"#,
            r#"{"MESSAGE":null,"PRIORITY":"6","__REALTIME_TIMESTAMP":"2"}"#,
            r#"{"MESSAGE":"bad","PRIORITY":"3","__REALTIME_TIMESTAMP":"3","CONTAINER_TAG":"t"}"#,
            "not JSON",
        ] {
            assert!(entry(line.as_bytes(), &mut printer).is_ok());
        }
        assert!(printer.flush().is_ok());
        drop(printer);
        let all = |fd: &mut rustix::fd::OwnedFd| {
            let mut text = Vec::new();
            std::fs::File::from(fd.try_clone().unwrap()).read_to_end(&mut text).unwrap();
            text
        };
        assert_eq!(all(&mut out.0), b" one\xff\n\n \n");
        assert_eq!(all(&mut err.0), b"tag=t bad\n");
    }
}
