//! chown(2) with one id: the owner is recorded in an attribute, and what a change of owner takes away is taken away.

use super::asker::{Asker, AT_FDCWD};
use crate::override_stat;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

pub const CALLS: &[&str] = &["chown", "lchown", "fchown", "fchownat", "chown32", "lchown32", "fchown32"];
const UNCHANGED: u32 = u32::MAX;

pub fn chown(asker: &Asker<'_>, call: &str, size: usize) -> Result<(), Errno> {
    let a = asker.asked.args;
    let (file, uid, gid) = match call {
        "chown" | "chown32" => (asker.by_path(AT_FDCWD, a[0], true)?, a[1], a[2]),
        "lchown" | "lchown32" => (asker.by_path(AT_FDCWD, a[0], false)?, a[1], a[2]),
        "fchown" | "fchown32" => (asker.by_fd(a[0] as i32)?, a[1], a[2]),
        _ => {
            const NOFOLLOW: u64 = 0x100;
            const EMPTY_PATH: u64 = 0x1000;
            let fd = a[0] as i32;
            let file = if a[4] & EMPTY_PATH != 0 && asker.read_path(a[1])?.is_empty() && fd != AT_FDCWD {
                asker.by_fd(fd)?
            } else {
                asker.by_path(fd, a[1], a[4] & NOFOLLOW == 0)?
            };
            (file, a[2], a[3])
        }
    };
    asker.still_waits()?;
    record(&file, wide(uid, size), wide(gid, size))
}

/// An id of a register: 32 bits whatever it holds above, and "unchanged" of two bytes as that of four.
pub fn wide(id: u64, size: usize) -> u32 {
    match (size, id as u32) {
        (2, id) if id & 0xffff == 0xffff => UNCHANGED,
        (2, id) => id & 0xffff,
        (_, id) => id,
    }
}

fn record(file: &OwnedFd, uid: u32, gid: u32) -> Result<(), Errno> {
    let (old_uid, old_gid) = override_stat::read(file).unwrap_or((0, 0));
    let new = |id: u32, old: u32| if id == UNCHANGED { old } else { id };
    let mode = without_privileges(file)?;
    match override_stat::write(file, new(uid, old_uid), new(gid, old_gid), mode) {
        // Links and devices carry no user attributes, and some filesystems none at all: the call succeeds, the owner is lost.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSPC) => Ok(()),
        other => other,
    }
}

/// The kernel's rule (chown(2)): the set-id bits of a file go, that of the group where it is no mark for locks, and its capabilities.
fn without_privileges(file: &OwnedFd) -> Result<u32, Errno> {
    let stat = rustix::fs::fstat(file)?;
    let before = stat.st_mode & 0o7777;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(before);
    }
    let by_name = format!("/proc/self/fd/{}", file.as_raw_fd());
    let group = if before & 0o010 != 0 { 0o2000 } else { 0 };
    let after = before & !(0o4000 | group);
    if after != before {
        rustix::fs::chmod(&by_name, Mode::from_raw_mode(after))?;
    }
    // Mostly there are none.
    let _ = rustix::fs::removexattr(&by_name, "security.capability");
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_bytes_are_widened() {
        assert_eq!(wide(0xffff, 2), UNCHANGED);
        assert_eq!(wide(0x1_0021, 2), 0x21);
        assert_eq!(wide(0xff_ffff_ffff, 4), UNCHANGED);
        assert_eq!(wide(0xffff, 4), 0xffff);
    }
}
