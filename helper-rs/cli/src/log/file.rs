//! A log in files: records are gathered and written at once; a full file makes room for a new one.

use super::gap::Gap;
use super::stamp::Stamp;
use super::{tail, Driver, Facts, LogOptions, Stream, WhenFull};
use crate::failure::{During, Failure, Step};
use rootless_records::json::Middle;
use rootless_records::{cri, json, Piece};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct LogFile {
    path: PathBuf,
    format: Format,
    file: File,
    size: u64,
    /// Whole records that are not written yet.
    batch: Vec<u8>,
    max_size: u64,
    max_file: u32,
    when_full: WhenFull,
    gap: Option<Gap>,
}

pub enum Format {
    Json(Middle),
    Cri,
}

impl Format {
    pub fn put(&self, out: &mut Vec<u8>, stream: Stream, stamp: &Stamp, piece: Piece<'_>) {
        match self {
            Format::Json(middle) => json::put(out, middle, stream, stamp.trimmed(), piece),
            Format::Cri => cri::put(out, stream, stamp.full(), piece),
        }
    }
}

/// A batch of this size does not wait for the others of its wake-up.
const BATCH: usize = 256 << 10;
/// A batch that needed less than this lets the memory of a large one go.
const QUIET: usize = 4 << 10;

impl LogFile {
    pub fn open(options: &LogOptions, facts: &Facts<'_>) -> Step<LogFile> {
        let path = options.file(facts.folder);
        let max_file = options.max_file.unwrap_or(1).max(1);
        let (file, size) = open(&path)?;
        Ok(LogFile {
            format: match options.driver {
                Driver::Plain => Format::Cri,
                _ => Format::Json(Middle::new(attributes(options).as_deref())),
            },
            file,
            size,
            batch: Vec::new(),
            max_size: options.max_size.filter(|size| *size > 0).unwrap_or(u64::MAX),
            max_file,
            when_full: options.when_full,
            gap: None,
            path,
        })
    }

    pub fn put(&mut self, stream: Stream, stamp: &Stamp, piece: Piece<'_>) -> Step<()> {
        if let Some(gap) = &mut self.gap {
            gap.count(piece);
            return Ok(());
        }
        let start = self.batch.len();
        self.format.put(&mut self.batch, stream, stamp, piece);
        let before = self.size + start as u64;
        if before > 0 && self.size + self.batch.len() as u64 > self.max_size {
            let record = self.batch.split_off(start);
            self.flush()?;
            if self.gap.is_none() {
                self.rotate();
            }
            self.batch.extend_from_slice(&record);
        }
        if self.batch.len() >= BATCH {
            return self.flush();
        }
        Ok(())
    }

    pub fn flush(&mut self) -> Step<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (written, errno) = write_all(&self.file, &self.batch);
        self.size += written as u64;
        let result = match errno {
            None => Ok(()),
            Some(errno) => self.begin_gap(written, errno),
        };
        let used = self.batch.len();
        self.batch.clear();
        if used < QUIET {
            self.batch.shrink_to(QUIET);
        }
        result
    }

    /// Nothing can be written any more, for now; whether that is a reason to stop is the user's choice.
    fn begin_gap(&mut self, written: usize, errno: Errno) -> Step<()> {
        match &mut self.gap {
            Some(gap) => gap.add(&self.batch[written..]),
            None => self.gap = Some(Gap::begin(&self.file, &self.format, &self.batch, written, errno)),
        }
        self.size = size(&self.file);
        match self.when_full {
            WhenFull::Drop => Ok(()),
            WhenFull::Stop => Err(Failure::new("log").errno(errno).on(self.path.display())),
        }
    }

    pub fn due(&self) -> Option<Duration> {
        self.gap.as_ref().map(Gap::due)
    }

    #[cfg(test)]
    pub fn hurry(&mut self) {
        if let Some(gap) = &mut self.gap {
            gap.hurry();
        }
    }

    /// Tries again to write where the disk was full, now and then.
    pub fn retry(&mut self) {
        if self.gap.as_ref().is_some_and(Gap::is_due) {
            self.retry_now();
        }
    }

    pub fn retry_now(&mut self) {
        if self.gap.as_mut().is_some_and(|gap| gap.try_again(&self.file, &self.format)) {
            self.gap = None;
            self.size = size(&self.file);
        }
    }

    pub fn reopen(&mut self) -> Step<()> {
        (self.file, self.size) = open(&self.path)?;
        Ok(())
    }

    /// The new file exists before the old ones move, so that a full disk leaves everything as it is. Killed between two steps, it
    /// leaves a gap in the numbers or no current file: readers and `open` take what is there.
    fn rotate(&mut self) {
        let next = numbered(&self.path, "next");
        let mut options = OpenOptions::new();
        let Ok(file) = options.append(true).create(true).mode(0o600).open(&next) else { return };
        if file.set_len(0).is_err() {
            return;
        }
        if self.max_file > 1 {
            for number in (1..self.max_file - 1).rev() {
                let _ = std::fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1));
            }
            let _ = std::fs::rename(&self.path, numbered(&self.path, 1));
        }
        if std::fs::rename(&next, &self.path).is_ok() {
            (self.file, self.size) = (file, 0);
        }
    }
}

/// `log.1`, `log.2`, …
pub fn numbered(path: &Path, number: impl std::fmt::Display) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// What every record says beside its text, as an object of JSON.
fn attributes(options: &LogOptions) -> Option<String> {
    let tag = options.tag.iter().map(|tag| ("tag".to_string(), tag.clone()));
    let all: BTreeMap<_, _> = options.attributes.clone().into_iter().chain(tag).collect();
    (!all.is_empty()).then(|| serde_json::json!(all).to_string())
}

/// Opens for appending, and cuts off a record that a killed monitor has not finished.
fn open(path: &Path) -> Step<(File, u64)> {
    let on = |error: std::io::Error| Failure::new("log").errno(error).on(path.display());
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).mode(0o600).open(path).map_err(on)?;
    let metadata = file.metadata().map_err(on)?;
    if !metadata.is_file() {
        return Err(Failure::because("log", "not a regular file").on(path.display()));
    }
    let border = tail::last_border(&file, metadata.len()).during("log", path.display())?;
    if border < metadata.len() {
        file.set_len(border).map_err(on)?;
    }
    Ok((file, border))
}

pub fn size(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

/// What was written, and why not all of it.
pub fn write_all(file: &File, bytes: &[u8]) -> (usize, Option<Errno>) {
    let mut written = 0;
    while written < bytes.len() {
        match rustix::io::write(file, &bytes[written..]) {
            Ok(0) => return (written, Some(Errno::IO)),
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(errno) => return (written, Some(errno)),
        }
    }
    (written, None)
}
