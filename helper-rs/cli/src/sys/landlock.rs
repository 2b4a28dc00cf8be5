//! landlock(7): what a program may open, judged by where files lie, whatever else allows it.

use super::check;
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;

/// Executing, reading files and folders.
const READ: u64 = 1 | 1 << 2 | 1 << 3;
/// All of the first version: also writing, removing, and making of each kind.
const FIRST: u64 = (1 << 13) - 1;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;
/// Of those, what a rule for a file that is no folder may have.
const OF_FILES: u64 = 1 | 1 << 1 | 1 << 2 | TRUNCATE | IOCTL_DEV;

/// A set of rules for this process, and what the kernel's version of it can judge.
pub struct Ruleset {
    fd: OwnedFd,
    handled: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

impl Ruleset {
    /// Everything is forbidden that no rule allows.
    pub fn new() -> Result<Ruleset, Errno> {
        const VERSION: u32 = 1;
        // SAFETY: asks for the version: no attributes.
        let version = check(unsafe {
            libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u64>(), 0_usize, VERSION)
        })?;
        let later = [(2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)];
        let handled = later.iter().filter(|(since, _)| version >= *since).fold(FIRST, |all, (_, right)| all | right);
        // SAFETY: the first field of the structure alone, which all versions have, lives through the call.
        let fd = check(unsafe {
            libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size_of::<u64>(), 0_u32)
        })?;
        // SAFETY: a new descriptor.
        Ok(Ruleset { fd: unsafe { OwnedFd::from_raw_fd(fd as i32) }, handled })
    }

    /// What lies at and below a path: all of it, or reading and executing.
    pub fn allow(&self, path: BorrowedFd<'_>, is_folder: bool, write: bool) -> Result<(), Errno> {
        const PATH_BENEATH: u32 = 1;
        let rights = if write { self.handled } else { self.handled & READ };
        let allowed = if is_folder { rights } else { rights & OF_FILES };
        let rule = PathBeneath { allowed, parent: path.as_raw_fd() };
        // SAFETY: rule has the kernel's layout and lives through the call.
        check(unsafe {
            libc::syscall(libc::SYS_landlock_add_rule, self.fd.as_raw_fd(), PATH_BENEATH, &raw const rule, 0_u32)
        })
        .map(drop)
    }

    /// From here on, for this process and all that it starts. Needs no_new_privs or CAP_SYS_ADMIN.
    pub fn enforce(self) -> Result<(), Errno> {
        // SAFETY: plain integers.
        check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.fd.as_raw_fd(), 0_u32) }).map(drop)
    }
}
