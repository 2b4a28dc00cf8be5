//! Whiteouts and opaque folders in the form of overlayfs with `userxattr`.

use rustix::fs::{fgetxattr, FileType, Stat};
#[cfg(feature = "layers")]
use rustix::fs::{fsetxattr, openat, Mode, OFlags, XattrFlags};
use rustix::io::{Errno, Result};
use std::os::fd::AsFd;

const OPAQUE: &str = "user.overlay.opaque";

/// A character device 0:0 is how overlayfs says "deleted here".
pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Marks a folder as hiding what lower layers have in it.
#[cfg(feature = "layers")]
pub fn set_opaque(parent: impl AsFd, name: &[u8]) -> Result<()> {
    let folder =
        openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    fsetxattr(folder, OPAQUE, b"y", XattrFlags::empty())
}

/// Whether a folder hides what is below it.
pub fn is_opaque(folder: impl AsFd) -> Result<bool> {
    let mut value = [0u8; 2];
    match fgetxattr(folder, OPAQUE, &mut value) {
        Ok(length) => Ok(value[..length] == *b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(false),
        Err(error) => Err(error),
    }
}
