//! Reads and gives owner, mode, extended attributes and times.

use crate::layers::xattrs::{self, Xattrs};
use rustix::fs::{chownat, fchmod, fchown, fsetxattr, fstat, futimens, utimensat};
use rustix::fs::{AtFlags, Mode, Stat, Timespec, Timestamps, XattrFlags};
use rustix::io::{Errno, Result};
use rustix::process::{Gid, Uid};
use std::ffi::CStr;
use std::os::fd::OwnedFd;

pub struct Attributes {
    pub stat: Stat,
    xattrs: Xattrs,
}

impl Attributes {
    pub fn of(fd: &OwnedFd) -> Result<Attributes> {
        // What overlayfs keeps for itself has done its work in the merge and must not be in the copy.
        let wanted = |name: &[u8]| !name.starts_with(b"user.overlay.") && !name.starts_with(b"trusted.");
        Ok(Attributes { stat: fstat(fd)?, xattrs: xattrs::read(fd, wanted)? })
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
