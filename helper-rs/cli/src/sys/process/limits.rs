//! prlimit(2), sched_setattr(2), ioprio_set(2), personality(2): how much a process may take, and how it is run.

use super::super::check;
use rustix::io::Errno;
use std::ffi::c_long;

/// I/O priority as in linux/ioprio.h: class << 13 | priority.
pub fn set_io_priority(class: u32, priority: u32) -> Result<(), Errno> {
    const WHO_PROCESS: c_long = 1;
    // SAFETY: plain integers.
    check(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, (class << 13) | priority) }).map(drop)
}

/// `struct sched_attr` (sched_setattr(2)).
#[repr(C)]
#[derive(Default)]
pub struct SchedAttr {
    pub size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

pub fn set_scheduler(mut attr: SchedAttr) -> Result<(), Errno> {
    attr.size = size_of::<SchedAttr>() as u32;
    // SAFETY: attr has the size that it names.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) }).map(drop)
}

pub fn set_personality(persona: u64) -> Result<(), Errno> {
    // SAFETY: plain integers.
    check(c_long::from(unsafe { libc::personality(persona as libc::c_ulong) })).map(drop)
}

pub fn set_rlimit(resource: u32, soft: u64, hard: u64) -> Result<(), Errno> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: limit lives through the call.
    check(c_long::from(unsafe { libc::prlimit64(0, resource as _, &raw const limit, std::ptr::null_mut()) })).map(drop)
}

/// The soft limit on file locks (`RLIMIT_LOCKS`) of a process or of one of its threads.
pub fn lock_limit(pid: u32) -> Result<u64, Errno> {
    limits(pid, None).map(|limit| limit.rlim_cur)
}

/// Changes the soft limit alone.
pub fn set_lock_limit(pid: u32, soft: u64) -> Result<(), Errno> {
    let hard = limits(pid, None)?.rlim_max;
    limits(pid, Some(libc::rlimit64 { rlim_cur: soft, rlim_max: hard })).map(drop)
}

fn limits(pid: u32, new: Option<libc::rlimit64>) -> Result<libc::rlimit64, Errno> {
    /// getrlimit(2): of Linux 2.4, without a name in the libc crate for each libc.
    const RLIMIT_LOCKS: c_long = 10;
    let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: both structures live through the call, or are null.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, c_long::from(pid as i32), RLIMIT_LOCKS, new, &raw mut old) })?;
    Ok(old)
}
