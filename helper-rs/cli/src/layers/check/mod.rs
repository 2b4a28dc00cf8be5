//! `layer check`: what is wrong with, or remarkable about, a layer. Nothing is written anywhere; memory is bounded.

mod names;
mod problem;

use super::decode::decoder;
use names::Names;
pub use problem::{Level, Problem};
use rootless_core::tar::{Entry, Kind, Reader, TarError};
use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Above this many plain bytes for one compressed byte, and more than [`BOMB_SIZE`], a layer is taken for a bomb.
const BOMB_RATIO: u64 = 200;
const BOMB_SIZE: u64 = 256 << 20;
/// A file that claims more (by holes) than any image has.
const HUGE_FILE: u64 = 1 << 40;
/// Ids from here on need more than one usual subordinate range.
const USUAL_IDS: u32 = 65536;

/// Reads the whole layer and reports each problem as it is met.
pub fn check(input: impl Read + Send, report: &mut dyn FnMut(Problem) -> io::Result<()>) -> io::Result<()> {
    let taken = Arc::new(AtomicU64::new(0));
    let plain = match decoder(Counted { input, taken: Arc::clone(&taken) }) {
        Ok(plain) => plain,
        Err(error) => return report(Problem::new(Level::Error, "decode", 0).saying(error)),
    };
    let mut reader = Reader::new(BufReader::with_capacity(128 << 10, plain));
    let mut names = Names::default();
    loop {
        match reader.next_entry() {
            Ok(Some(entry)) => {
                for problem in of_entry(&entry, &mut names) {
                    report(problem.of(&entry))?;
                }
            }
            Ok(None) => break,
            Err(error) => return report(broken(error, reader.offset())),
        }
    }
    let end = reader.offset();
    match trailing(&mut reader.into_inner()) {
        Ok((length, garbage)) => {
            if garbage {
                report(Problem::new(Level::Warning, "trailing-data", end))?;
            }
            let (plain, packed) = (end + length, taken.load(Ordering::Relaxed));
            if plain > BOMB_SIZE && plain / packed.max(1) > BOMB_RATIO {
                let ratio = format!("{plain} bytes out of {packed}");
                report(Problem::new(Level::Error, "bomb", end).saying(ratio))?;
            }
            Ok(())
        }
        Err(error) => report(broken(error.into(), end)),
    }
}

fn broken(error: TarError, at: u64) -> Problem {
    match error {
        TarError::Malformed { offset, fault } => Problem::new(Level::Error, fault.code(), offset).saying(fault),
        TarError::Read(error) => Problem::new(Level::Error, "decode", at).saying(error),
    }
}

/// What follows the end of the archive: its length, and whether it is more than zeros.
fn trailing(rest: &mut impl BufRead) -> io::Result<(u64, bool)> {
    let (mut length, mut garbage) = (0, false);
    loop {
        let bytes = rest.fill_buf()?;
        if bytes.is_empty() {
            return Ok((length, garbage));
        }
        garbage |= bytes.iter().any(|byte| *byte != 0);
        let count = bytes.len();
        length += count as u64;
        rest.consume(count);
    }
}

/// What one entry shows, apart from its place among the others.
fn of_entry(entry: &Entry, names: &mut Names) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut add = |level, code| found.push(Problem::new(level, code, entry.offset));
    match entry.kind {
        Kind::CharDevice | Kind::BlockDevice => add(Level::Warning, "device"),
        Kind::Symlink if entry.link.is_empty() => add(Level::Error, "empty-link"),
        Kind::File if entry.mode & 0o6000 != 0 => add(Level::Info, "setuid"),
        _ => {}
    }
    if entry.size > HUGE_FILE {
        add(Level::Warning, "huge-file");
    }
    if entry.uid >= USUAL_IDS || entry.gid >= USUAL_IDS {
        add(Level::Warning, "high-id");
    }
    let overlay = |name: &[u8]| name.starts_with(b"user.overlay.") || name.starts_with(b"trusted.overlay.");
    if entry.xattrs.iter().any(|(name, _)| overlay(name)) {
        add(Level::Warning, "reserved-xattr");
    }
    names.meet(entry, &mut add);
    found
}

/// Counts the bytes that come in.
struct Counted<R> {
    input: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
