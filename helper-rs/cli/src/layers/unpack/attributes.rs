//! Owner, mode, extended attributes and time of what was just made.

use super::place::Placer;
use super::refusal::{Placed, Refusal};
use super::root::Root;
use crate::override_stat;
use rootless_core::tar::{Entry, Kind};
use rustix::fs::{fchmod, fchown, fsetxattr, Mode, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Who owns the entry, if that is not who creates it.
pub fn owner(entry: &Entry, root: &Root, inherits: bool) -> Option<(Uid, Gid)> {
    match (entry.uid, entry.gid) == root.ids() && !inherits {
        true => None,
        false => Some(ids(entry)),
    }
}

/// What stands for the inode that the one mapped id cannot make.
fn override_value(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::Folder => "dir".to_string(),
        Kind::CharDevice => format!("char-{}-{}", entry.major, entry.minor),
        Kind::BlockDevice => format!("block-{}-{}", entry.major, entry.minor),
        _ => "file".to_string(),
    };
    override_stat::value(entry.uid, entry.gid, entry.mode, Some(&kind))
}

pub fn ids(entry: &Entry) -> (Uid, Gid) {
    (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid))
}

/// Changes owner and mode of an open file or folder. The owner first: changing it takes set-id bits away.
pub fn own(fd: BorrowedFd<'_>, owner: Option<(Uid, Gid)>, mode: Option<u32>) -> Placed<()> {
    if let Some((uid, gid)) = owner {
        fchown(fd, Some(uid), Some(gid)).map_err(Refusal::Owner)?;
    }
    if let Some(mode) = mode {
        fchmod(fd, Mode::from_raw_mode(mode))?;
    }
    Ok(())
}

/// Of what is open as a place only (O_PATH), which fchmod(2) does not take.
pub fn set_mode(place: &OwnedFd, mode: u32) -> Result<(), Errno> {
    rustix::fs::chmod(format!("/proc/self/fd/{}", place.as_raw_fd()), Mode::from_raw_mode(mode))
}

impl Placer {
    /// Extended attributes: those of the layer, and the owner where it cannot be given to the inode. `again`: an earlier
    /// entry may have left another owner there.
    pub(super) fn annotate(&mut self, fd: &OwnedFd, entry: &Entry, again: bool) -> Placed<()> {
        if !entry.xattrs.is_empty() {
            self.summary.skipped_xattrs += xattrs(fd.as_fd(), entry)?;
        }
        let device = matches!(entry.kind, Kind::CharDevice | Kind::BlockDevice);
        match self.policy.single_id && (again || device || (entry.uid, entry.gid) != self.root.ids()) {
            true => fsetxattr(fd, override_stat::NAME, override_value(entry).as_bytes(), XattrFlags::empty())
                .map_err(|errno| Refusal::Attribute(errno, override_stat::NAME.into())),
            false => Ok(()),
        }
    }
}

/// Sets the extended attributes; gives how many were left out.
fn xattrs(fd: BorrowedFd<'_>, entry: &Entry) -> Placed<u64> {
    let mut skipped = 0;
    for (name, value) in &entry.xattrs {
        if !wanted(name) {
            skipped += 1;
            continue;
        }
        match fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::ROFS)) => {
                return Err(Refusal::Attribute(error, String::from_utf8_lossy(name).into_owned()));
            }
            // Not for this filesystem, this file or this user: docker and podman go on too.
            Err(_) => skipped += 1,
        }
    }
    Ok(skipped)
}

/// Only the namespaces that a user namespace may write, and never what overlayfs or the id emulation would believe.
fn wanted(name: &[u8]) -> bool {
    let ours = [&b"user.overlay."[..], b"user.fuseoverlayfs.", b"user.containers.", b"user.rootlesscontainers"];
    match name.starts_with(b"user.") {
        true => !ours.iter().any(|prefix| name.starts_with(prefix)),
        // The kernel turns a file capability into one that counts only in this namespace (v3).
        false => name == b"security.capability" || name == b"system.posix_acl_access",
    }
}

pub fn timespec(entry: &Entry) -> Timespec {
    Timespec { tv_sec: entry.mtime.seconds, tv_nsec: entry.mtime.nanoseconds.into() }
}

pub fn timestamps(entry: &Entry) -> Timestamps {
    Timestamps { last_access: timespec(entry), last_modification: timespec(entry) }
}
