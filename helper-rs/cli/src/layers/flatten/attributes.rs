//! Reads and gives owner, mode, extended attributes and times.

use rustix::fs::{
    chownat, fchmod, fchown, fgetxattr, flistxattr, flistxattr_query, fsetxattr, fstat, futimens, utimensat,
};
use rustix::fs::{AtFlags, Mode, Stat, Timespec, Timestamps, XattrFlags};
use rustix::io::{Errno, Result};
use rustix::process::{Gid, Uid};
use std::ffi::CStr;
use std::os::fd::OwnedFd;

/// Limits of the kernel (xattr(7)): a list of names, and a value.
const XATTR_MAX: usize = 64 << 10;

pub struct Attributes {
    pub stat: Stat,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Attributes {
    pub fn of(fd: &OwnedFd) -> Result<Attributes> {
        Ok(Attributes { stat: fstat(fd)?, xattrs: xattrs(fd)? })
    }

    /// Owner first: changing it takes set-id bits and file capabilities away.
    pub fn give(&self, fd: &OwnedFd) -> Result<()> {
        fchown(fd, Some(Uid::from_raw(self.stat.st_uid)), Some(Gid::from_raw(self.stat.st_gid)))?;
        fchmod(fd, Mode::from_raw_mode(self.stat.st_mode & 0o7777))?;
        for (name, value) in &self.xattrs {
            match fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()) {
                // The copy's filesystem does not have them, or they are not ours to give (security.selinux).
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What overlayfs keeps for itself has done its work in the merge and must not be in the copy.
fn xattrs(fd: &OwnedFd) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let length = match flistxattr_query(fd) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        result => result?,
    };
    let mut names = vec![0; length.min(XATTR_MAX)];
    let length = flistxattr(fd, names.as_mut_slice())?;
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0) {
        if name.is_empty() || name.starts_with(b"user.overlay.") || name.starts_with(b"trusted.") {
            continue;
        }
        let mut value = vec![0; XATTR_MAX];
        match fgetxattr(fd, name, value.as_mut_slice()) {
            Ok(length) => value.truncate(length),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => continue,
            Err(error) => return Err(error),
        }
        found.push((name.to_vec(), value));
    }
    Ok(found)
}

/// For symbolic links, fifos and sockets, which are never opened.
pub fn give_by_name(parent: &OwnedFd, name: &CStr, stat: &Stat) -> Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    utimensat(parent, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
}

pub fn give_times(fd: &OwnedFd, stat: &Stat) -> Result<()> {
    futimens(fd, &times(stat))
}

#[allow(clippy::unnecessary_cast)] // The types of the fields differ between architectures.
fn times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime as i64, tv_nsec: stat.st_atime_nsec as _ },
        last_modification: Timespec { tv_sec: stat.st_mtime as i64, tv_nsec: stat.st_mtime_nsec as _ },
    }
}
