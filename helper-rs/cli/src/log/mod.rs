//! The container's log, as the monitor writes it and `rootless-helper log` reads it.

mod file;
mod gap;
mod journald;
pub mod read;
mod stamp;
mod tail;
#[cfg(test)]
mod tests;

use crate::failure::Step;
use file::LogFile;
use journald::Journal;
use rootless_records::lines::Lines;
use rootless_records::Piece;
pub use rootless_records::Stream;
use serde::Deserialize;
use stamp::Stamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// "log" of monitor.json (docs/contract.md, "Monitor").
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LogOptions {
    pub driver: Driver,
    /// Without it: the file `log` beside monitor.json.
    pub path: Option<PathBuf>,
    /// Bytes in one file before the next is begun; 0 or absent: no limit.
    pub max_size: Option<u64>,
    /// Files that are kept, the one that is written included.
    pub max_file: Option<u32>,
    pub tag: Option<String>,
    /// What `logs --details` shows of every line.
    pub attributes: BTreeMap<String, String>,
    pub when_full: WhenFull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    #[default]
    JsonFile,
    #[serde(alias = "k8s-file")]
    Plain,
    Journald,
    None,
}

/// What becomes of the container when its log cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// It goes on; the log says how much of it is missing.
    #[default]
    Drop,
    /// `write` and `flush` answer the failure.
    Stop,
}

impl LogOptions {
    /// The file that is written now; older ones have `.1`, `.2`, … behind its name, the highest is the oldest.
    pub fn file(&self, folder: &Path) -> PathBuf {
        folder.join(self.path.as_deref().unwrap_or(Path::new("log")))
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub image: &'a str,
    /// Of monitor.json.
    pub folder: &'a Path,
}

/// A line that nobody ends (a prompt) is written after this time.
const PATIENCE: Duration = Duration::from_millis(500);

/// A log that is written. `write` for every block that was read, `flush` once a wake-up: one write(2) for all of them.
pub struct Log {
    sink: Sink,
    lines: [Lines; 2],
    stamp: Stamp,
    /// When a line without its end came last.
    waiting: Option<Instant>,
    patience: Duration,
}

enum Sink {
    Nothing,
    File(LogFile),
    Journal(Journal),
}

impl Log {
    /// `tty`: a prompt is soon followed by somebody's answer.
    pub fn open(options: &LogOptions, facts: &Facts<'_>, tty: bool) -> Step<Log> {
        let sink = match options.driver {
            Driver::None => Sink::Nothing,
            Driver::Journald => Sink::Journal(Journal::open(options, facts)?),
            Driver::JsonFile | Driver::Plain => Sink::File(LogFile::open(options, facts)?),
        };
        let patience = if tty { PATIENCE / 5 } else { PATIENCE };
        Ok(Log { sink, lines: Default::default(), stamp: Stamp::default(), waiting: None, patience })
    }

    /// Takes a block of the program's output. Nothing is lost of lines whose end has not come yet.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> Step<()> {
        if matches!(self.sink, Sink::Nothing) || bytes.is_empty() {
            return Ok(());
        }
        if let Sink::File(file) = &mut self.sink {
            file.retry();
        }
        self.stamp.now();
        let (sink, stamp) = (&mut self.sink, &self.stamp);
        self.lines[stream as usize].feed(bytes, &mut |piece| sink.put(stream, stamp, piece))?;
        self.waiting = self.lines.iter().any(Lines::is_waiting).then(Instant::now);
        Ok(())
    }

    /// Hands what was written to the kernel.
    pub fn flush(&mut self) -> Step<()> {
        match &mut self.sink {
            Sink::File(file) => file.flush(),
            Sink::Journal(_) | Sink::Nothing => Ok(()),
        }
    }

    /// How long until `tick` has something to do, for poll(2).
    pub fn due(&self) -> Option<Duration> {
        let line = self.waiting.map(|since| self.patience.saturating_sub(since.elapsed()));
        let gap = match &self.sink {
            Sink::File(file) => file.due(),
            Sink::Journal(_) | Sink::Nothing => None,
        };
        [line, gap].into_iter().flatten().min()
    }

    /// Writes lines that wait too long for their end, and tries a full disk again.
    pub fn tick(&mut self) -> Step<()> {
        if self.waiting.is_some_and(|since| since.elapsed() >= self.patience) {
            self.end_lines(false)?;
        }
        if let Sink::File(file) = &mut self.sink {
            file.retry();
        }
        self.flush()
    }

    /// After somebody moved the file away (`logrotate`).
    pub fn reopen(&mut self) -> Step<()> {
        self.flush()?;
        match &mut self.sink {
            Sink::File(file) => file.reopen(),
            Sink::Journal(_) | Sink::Nothing => Ok(()),
        }
    }

    /// The program has ended: unfinished lines are written. The log can be written again (a restart).
    pub fn close(&mut self) -> Step<()> {
        self.end_lines(true)?;
        self.flush()?;
        if let Sink::File(file) = &mut self.sink {
            file.retry_now();
        }
        Ok(())
    }

    fn end_lines(&mut self, all: bool) -> Step<()> {
        self.waiting = None;
        self.stamp.now();
        let (sink, stamp) = (&mut self.sink, &self.stamp);
        for (lines, stream) in self.lines.iter_mut().zip([Stream::Stdout, Stream::Stderr]) {
            lines.end(all, &mut |piece| sink.put(stream, stamp, piece))?;
        }
        Ok(())
    }
}

impl Sink {
    fn put(&mut self, stream: Stream, stamp: &Stamp, piece: Piece<'_>) -> Step<()> {
        match self {
            Sink::Nothing => Ok(()),
            Sink::File(file) => file.put(stream, stamp, piece),
            Sink::Journal(journal) => journal.put(stream, piece),
        }
    }
}
