//! Times of folders, kept until everything is in place: creating a file changes its folder's time.

use super::root::Root;
use rustix::fs::{openat, utimensat, AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::{Errno, Result};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};

/// What is kept in memory; more goes to a nameless file in the tree, so that no layer can make us grow.
const KEPT: usize = 1 << 20;

#[derive(Default)]
pub struct Folders {
    kept: Vec<u8>,
    spilled: Option<File>,
}

impl Folders {
    /// Remembers the time of the folder at a clean path (at most PATH_MAX long).
    pub fn push(&mut self, root: &Root, path: &[u8], time: Timespec) -> io::Result<()> {
        self.kept.extend_from_slice(&time.tv_sec.to_ne_bytes());
        self.kept.extend_from_slice(&(time.tv_nsec as u32).to_ne_bytes());
        self.kept.extend_from_slice(&(path.len() as u16).to_ne_bytes());
        self.kept.extend_from_slice(path);
        if self.kept.len() < KEPT {
            return Ok(());
        }
        let file = match &mut self.spilled {
            Some(file) => file,
            none => {
                let at = root.open_at(b"", OFlags::RDONLY | OFlags::DIRECTORY)?;
                let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
                none.insert(openat(at, ".", flags, Mode::from_raw_mode(0o600))?.into())
            }
        };
        file.write_all(&self.kept)?;
        self.kept.clear();
        Ok(())
    }

    /// Sets the times, in the order they came.
    pub fn apply(self, root: &Root) -> io::Result<()> {
        if let Some(mut file) = self.spilled {
            file.rewind()?;
            apply(root, BufReader::new(file))?;
        }
        apply(root, self.kept.as_slice())
    }
}

fn apply(root: &Root, mut records: impl Read) -> io::Result<()> {
    let mut head = [0; 14];
    let mut path = Vec::new();
    while records.read(&mut head[..1])? == 1 {
        records.read_exact(&mut head[1..])?;
        let [s0, s1, s2, s3, s4, s5, s6, s7, n0, n1, n2, n3, l0, l1] = head;
        let time = Timespec {
            tv_sec: i64::from_ne_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            tv_nsec: u32::from_ne_bytes([n0, n1, n2, n3]).into(),
        };
        path.resize(u16::from_ne_bytes([l0, l1]).into(), 0);
        records.read_exact(&mut path)?;
        set(root, &path, time)?;
    }
    Ok(())
}

fn set(root: &Root, path: &[u8], time: Timespec) -> Result<()> {
    match root.open_at(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW) {
        Ok(folder) => {
            utimensat(folder, "", &Timestamps { last_access: time, last_modification: time }, AtFlags::EMPTY_PATH)
        }
        // A later entry put something else there.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
        Err(error) => Err(error),
    }
}
