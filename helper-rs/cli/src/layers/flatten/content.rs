//! Copies what is in a file by the cheapest means that this pair of filesystems has.

use rustix::fs::{copy_file_range, ftruncate, ioctl_ficlone, seek, SeekFrom, Stat};
use rustix::io::{pread, pwrite, Errno, Result};
use std::os::fd::OwnedFd;

/// From cheap to dear. What fails once for lack of support is not tried again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Share the blocks (btrfs, xfs, bcachefs).
    Clone,
    /// Copy inside the kernel.
    Range,
    Bytes,
}

impl Means {
    pub fn copy(&mut self, from: &OwnedFd, to: &OwnedFd, stat: &Stat) -> Result<()> {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size == 0 {
            return Ok(());
        }
        if *self == Means::Clone {
            match ioctl_ficlone(to, from) {
                Ok(()) => return Ok(()),
                Err(error) if unsupported(error) => *self = Means::Range,
                Err(error) => return Err(error),
            }
        }
        let holes = u64::try_from(stat.st_blocks).unwrap_or(0) * 512 < size;
        if !holes {
            return self.copy_range(from, to, 0, size);
        }
        let mut at = 0;
        while at < size {
            at = match seek(from, SeekFrom::Data(at)) {
                Ok(data) => data,
                // Nothing but hole up to the end.
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error),
            };
            let end = seek(from, SeekFrom::Hole(at))?.min(size);
            self.copy_range(from, to, at, end)?;
            at = end;
        }
        ftruncate(to, size)
    }

    fn copy_range(&mut self, from: &OwnedFd, to: &OwnedFd, start: u64, end: u64) -> Result<()> {
        let mut at = start;
        while at < end && *self == Means::Range {
            let (mut source, mut target) = (at, at);
            let count = usize::try_from(end - at).unwrap_or(usize::MAX).min(1 << 30);
            match copy_file_range(from, Some(&mut source), to, Some(&mut target), count) {
                // Some filesystems say "nothing" where they mean "cannot".
                Ok(0) => *self = Means::Bytes,
                Ok(count) => at += count as u64,
                Err(Errno::INTR) => {}
                Err(error) if unsupported(error) => *self = Means::Bytes,
                Err(error) => return Err(error),
            }
        }
        copy_bytes(from, to, at, end)
    }
}

fn copy_bytes(from: &OwnedFd, to: &OwnedFd, start: u64, end: u64) -> Result<()> {
    let mut buffer = vec![0u8; if start < end { 128 << 10 } else { 0 }];
    let mut at = start;
    while at < end {
        let count = match pread(from, buffer.as_mut_slice(), at) {
            // The source became shorter: nothing more to copy.
            Ok(0) => return Ok(()),
            Err(Errno::INTR) => continue,
            result => result?.min(usize::try_from(end - at).unwrap_or(usize::MAX)),
        };
        let mut written = 0;
        while written < count {
            match pwrite(to, &buffer[written..count], at + written as u64) {
                Err(Errno::INTR) => {}
                result => written += result?,
            }
        }
        at += count as u64;
    }
    Ok(())
}

fn unsupported(error: Errno) -> bool {
    matches!(
        error,
        Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::TXTBSY | Errno::PERM
    )
}
