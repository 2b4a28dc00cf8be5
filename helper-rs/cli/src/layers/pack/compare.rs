//! Whether an entry is still what it was below: by what stat(2) and the extended attributes say, as docker compares.

use super::below::{Below, Under};
use super::walk::At;
use crate::layers::xattrs::{self, Xattrs};
use rustix::fs::{openat, readlinkat, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};
use std::ffi::CStr;
use std::os::fd::AsFd;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    None,
    /// Of a folder: its time alone, which changes with what is in it.
    Time,
    More,
}

pub fn differ(at: &At<'_>, below: &Below, under: &Under) -> Result<Difference> {
    let (here, there) = (at.stat, &under.stat);
    let kind = FileType::from_raw_mode(here.st_mode);
    if (here.st_mode, here.st_uid, here.st_gid) != (there.st_mode, there.st_uid, there.st_gid) {
        return Ok(Difference::More);
    }
    let same_time = times(here) == times(there);
    let Some(folder) = below.folder_of(under) else { return Ok(Difference::More) };
    match kind {
        FileType::Symlink => {
            let same = readlinkat(at.folder, at.name, Vec::new())? == readlinkat(folder, at.name, Vec::new())?;
            return Ok(if same && same_time { Difference::None } else { Difference::More });
        }
        FileType::RegularFile if here.st_size != there.st_size || !same_time => return Ok(Difference::More),
        FileType::RegularFile | FileType::Directory => {}
        _ if here.st_rdev != there.st_rdev || !same_time => return Ok(Difference::More),
        _ => return Ok(Difference::None),
    }
    match attributes(at.folder, at.name)? == attributes(folder, at.name)? {
        false => Ok(Difference::More),
        true if same_time => Ok(Difference::None),
        true => Ok(Difference::Time),
    }
}

fn times(stat: &Stat) -> (i64, i64) {
    #[allow(clippy::unnecessary_cast)] // The types of the fields differ between architectures.
    (stat.st_mtime as i64, stat.st_mtime_nsec as i64)
}

fn attributes(folder: impl AsFd, name: &CStr) -> Result<Xattrs> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat(folder, name, flags, Mode::empty()) {
        Ok(fd) => xattrs::read(fd, |name| !super::is_bookkeeping(name)),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
