//! Files, stand-ins for devices, symbolic links and fifos.

use super::attributes::{own, owner, timestamps};
use super::place::Placer;
use super::refusal::{Placed, Refusal};
use super::root::Folder;
use rootless_core::tar::{Entry, Reader};
use rustix::fs::{
    chownat, ftruncate, futimens, mknodat, openat, symlinkat, utimensat, AtFlags, FileType, Mode, OFlags,
};
use rustix::io::{pwrite, write, Errno, Result};
use std::io::BufRead;
use std::os::fd::{AsFd, OwnedFd};

impl Placer {
    pub(super) fn file(
        &mut self,
        parent: &Folder,
        name: &[u8],
        entry: &Entry,
        reader: &mut Reader<impl BufRead>,
    ) -> Placed<()> {
        let fd = self.create(parent, name, entry)?;
        let mut written = 0;
        if entry.sparse.is_some() {
            reader.body(|offset, bytes| {
                written += bytes.len() as u64;
                write_all(bytes, |rest, done| pwrite(&fd, rest, offset + done))
            })?;
            ftruncate(&fd, entry.size)?;
        } else {
            reader.body(|_, bytes| {
                written += bytes.len() as u64;
                write_all(bytes, |rest, _| write(&fd, rest))
            })?;
        }
        self.summary.size += written;
        self.finish_open(&fd, parent, entry)
    }

    /// No user namespace may make device nodes, so an empty file takes the name, the owner and the mode (as umoci does):
    /// links to it work, and the runtime mounts its own /dev anyway.
    pub(super) fn device(&mut self, parent: &Folder, name: &[u8], entry: &Entry) -> Placed<()> {
        self.summary.devices += 1;
        let fd = self.create(parent, name, entry)?;
        self.finish_open(&fd, parent, entry)
    }

    pub(super) fn symlink(&mut self, parent: &Folder, name: &[u8], entry: &Entry) -> Placed<()> {
        self.replacing(parent, name, || symlinkat(entry.link.as_slice(), parent, name))?;
        self.finish_by_name(parent, name, entry)
    }

    pub(super) fn fifo(&mut self, parent: &Folder, name: &[u8], entry: &Entry) -> Placed<()> {
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        self.replacing(parent, name, || mknodat(parent, name, FileType::Fifo, mode, 0))?;
        self.finish_by_name(parent, name, entry)
    }

    fn create(&mut self, parent: &Folder, name: &[u8], entry: &Entry) -> Placed<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        match self.replacing(parent, name, || openat(parent, name, flags, mode)) {
            // A file is mounted there: what is in it can be changed, its name cannot.
            Err(Refusal::Kernel(Errno::BUSY)) if self.policy.copy => {
                let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let fd = openat(parent, name, flags, Mode::empty())?;
                ftruncate(&fd, 0)?;
                Ok(fd)
            }
            result => result,
        }
    }

    /// The set-id bits come last but for the attributes: writing and changing the owner take them away.
    fn finish_open(&mut self, fd: &OwnedFd, parent: &Folder, entry: &Entry) -> Placed<()> {
        let owner = if self.policy.single_id { None } else { owner(entry, &self.root, !parent.plain) };
        own(fd.as_fd(), owner, (self.policy.copy || entry.mode & 0o7000 != 0).then_some(entry.mode))?;
        self.annotate(fd, entry, false)?;
        Ok(futimens(fd, &timestamps(entry))?)
    }

    /// Symbolic links and fifos: never opened, and no user.* attribute can be on them.
    fn finish_by_name(&mut self, parent: &Folder, name: &[u8], entry: &Entry) -> Placed<()> {
        self.summary.skipped_xattrs += entry.xattrs.len() as u64;
        if let (false, Some((uid, gid))) = (self.policy.single_id, owner(entry, &self.root, !parent.plain)) {
            chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(Refusal::Owner)?;
        }
        Ok(utimensat(parent, name, &timestamps(entry), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

fn write_all(bytes: &[u8], mut put: impl FnMut(&[u8], u64) -> Result<usize>) -> Placed<()> {
    let mut done = 0;
    while done < bytes.len() {
        match put(&bytes[done..], done as u64) {
            Ok(0) => return Err(Errno::IO.into()),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
