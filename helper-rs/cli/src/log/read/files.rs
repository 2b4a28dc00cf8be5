//! The files of one log, the oldest first, and a place in one of them.

use super::print::Printer;
use super::Stop;
use crate::failure::{During, Step};
use crate::log::file::numbered;
use crate::log::tail::{last_border, read_range};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One file; it stays what it is when it is renamed.
pub struct Generation {
    pub file: File,
    pub size: u64,
    pub inode: u64,
}

/// Opened before the next is looked at: what a rotation renames meanwhile is found under either name, and counted once.
pub fn generations(path: &Path) -> Step<Vec<Generation>> {
    let mut all: Vec<Generation> = Vec::new();
    for _ in 0..8 {
        all.clear();
        let current = open(path, 0)?;
        let inode = current.as_ref().map(|current| current.inode);
        all.extend(current);
        for number in numbers(path) {
            let found = open(path, number)?;
            all.extend(found.filter(|new| all.iter().all(|known| known.inode != new.inode)));
        }
        // The current one is still the current one, so nothing moved.
        if open(path, 0)?.map(|now| now.inode) == inode {
            break;
        }
    }
    all.reverse();
    Ok(all)
}

fn open(path: &Path, number: u32) -> Step<Option<Generation>> {
    let path = if number == 0 { path.to_path_buf() } else { numbered(path, number) };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).during("log", path.display()),
    };
    let metadata = file.metadata().during("log", path.display())?;
    Ok(Some(Generation { size: metadata.len(), inode: metadata.ino(), file }))
}

/// The numbers behind its name that exist, in order.
fn numbers(path: &Path) -> Vec<u32> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let number = |entry: &OsStr| {
        let rest = entry.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b".")?;
        std::str::from_utf8(rest).ok()?.parse().ok().filter(|number| *number > 0)
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<u32> = entries.filter_map(|entry| number(&entry.file_name())).collect();
    all.sort_unstable();
    all
}

/// How much of a file has been printed.
pub struct Position {
    generation: Generation,
    offset: u64,
    block: Vec<u8>,
}

/// Read at once; grown for a record that is longer.
const BLOCK: u64 = 256 << 10;
/// A file that shrank by no more was shortened by its writer for a notice (gap.rs); by more, it was emptied.
const SHORTENED: u64 = 128 << 10;

impl Position {
    pub fn new(generation: Generation, offset: u64) -> Position {
        Position { generation, offset, block: Vec::new() }
    }

    pub fn inode(&self) -> u64 {
        self.generation.inode
    }

    /// Prints whole records up to the end of the file.
    pub fn advance(&mut self, printer: &mut Printer<'_>) -> Result<(), Stop> {
        let file = &self.generation.file;
        let end = file.metadata().during("log", "size")?.len();
        if end < self.offset {
            let shortened = end > 0 && self.offset - end <= SHORTENED;
            self.offset = if shortened { last_border(file, end - 1).during("log", "read")? } else { 0 };
        }
        let mut room = BLOCK;
        while self.offset < end {
            let upto = end.min(self.offset + room);
            read_range(file, self.offset, upto, &mut self.block).during("log", "read")?;
            match memchr::memrchr(b'\n', &self.block) {
                Some(last) => {
                    let records = &self.block[..=last];
                    self.offset += records.len() as u64;
                    printer.records(records)?;
                    room = BLOCK;
                }
                // Not whole yet, or cut off by a crash.
                None if upto == end => return Ok(()),
                None => room *= 2,
            }
        }
        Ok(())
    }
}

/// The file that follows the one with this inode: one number lower, or the oldest if that one is gone.
pub fn next(path: &Path, inode: u64) -> Step<Option<Generation>> {
    if std::fs::metadata(path).is_ok_and(|now| now.ino() == inode) {
        return Ok(None);
    }
    let mut all = generations(path)?;
    match all.iter().position(|generation| generation.inode == inode) {
        Some(at) if at + 1 == all.len() => Ok(None),
        Some(at) => Ok(Some(all.swap_remove(at + 1))),
        None if all.is_empty() => Ok(None),
        None => Ok(Some(all.swap_remove(0))),
    }
}
