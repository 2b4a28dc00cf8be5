//! clone3(2), fork(2), waitpid(2), setns(2), pidfd_open(2): processes; what they carry is in the modules below.

mod capabilities;
mod descriptors;
mod limits;

pub use capabilities::*;
pub use descriptors::*;
pub use limits::*;

use super::{check, last};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::c_long;

/// Which side of a fork the caller is.
pub enum Forked {
    Child,
    Parent(Child),
}

/// A child that can be waited for and killed without a race on its number.
pub struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

/// `struct clone_args`, up to the field `cgroup` (Linux 5.7).
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Copies this single-threaded process into new namespaces (`CLONE_NEW*` in `flags`), optionally into a cgroup v2 folder.
pub fn clone(flags: i32, cgroup: Option<BorrowedFd<'_>>) -> Result<Forked, Errno> {
    let mut pidfd: i32 = -1;
    let mut args = CloneArgs {
        flags: (flags as u32 as u64) | libc::CLONE_PIDFD as u64,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(fd) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = fd.as_raw_fd() as u64;
    }
    if flags & libc::CLONE_PARENT != 0 {
        args.exit_signal = 0;
    }
    // SAFETY: args lives through the call and has the size that is passed; no stack is given, so the child runs on a copy of
    // ours like after fork(2). The helper has one thread, so no lock can be held by another.
    let made = check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) });
    let pid = match made {
        Err(Errno::NOSYS) if cgroup.is_none() => clone_by_flags(flags, &mut pidfd)?,
        made => made?,
    };
    if pid == 0 {
        return Ok(Forked::Child);
    }
    // SAFETY: the kernel stored a new file descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Forked::Parent(Child { pid: pid as i32, pidfd }))
}

/// clone(2), for a process under a filter: engines answer clone3 with ENOSYS, because a filter cannot read its flags.
fn clone_by_flags(flags: i32, pidfd: &mut i32) -> Result<c_long, Errno> {
    // The lowest byte is the signal; what clone3 would take there (CLONE_NEWTIME) has no place in it.
    if flags & 0xff != 0 {
        return Err(Errno::NOSYS);
    }
    let flags = flags | libc::CLONE_PIDFD | if flags & libc::CLONE_PARENT == 0 { libc::SIGCHLD } else { 0 };
    // SAFETY: as for clone3; no stack, and the place for the pidfd lives through the call. The two arguments whose order differs
    // between architectures are both null.
    check(unsafe { libc::syscall(libc::SYS_clone, c_long::from(flags), 0, std::ptr::from_mut(pidfd), 0, 0) })
}

/// fork(2).
pub fn fork() -> Result<Forked, Errno> {
    clone(0, None)
}

/// fork(2) by the old system call alone, for a process under a filter (see `clone_by_flags`). In the parent: the child's pid.
pub fn fork_under_filter() -> Result<Option<i32>, Errno> {
    // SAFETY: one thread; the child goes on with a copy of everything.
    match check(c_long::from(unsafe { libc::fork() }))? {
        0 => Ok(None),
        pid => Ok(Some(pid as i32)),
    }
}

/// Ends at once: no destructors, no flushing of buffers that the parent shares. A filter that refuses even that is no reason to
/// stay: the C library would ask for ever, an instruction that is none asks nobody.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: plain integers.
    unsafe { libc::syscall(libc::SYS_exit_group, code) };
    std::process::abort()
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Code(i32),
    Signal(i32),
}

impl Ended {
    /// The shell's number: the code, or 128 + signal.
    pub fn status(self) -> u8 {
        match self {
            Ended::Code(code) => code as u8,
            Ended::Signal(signal) => (128 + signal) as u8,
        }
    }
}

/// waitpid(2) for one child; `None` if `hang` is false and it still runs.
pub fn wait(pid: i32, hang: bool) -> Result<Option<(i32, Ended)>, Errno> {
    let mut status = 0;
    loop {
        // SAFETY: status is a valid out pointer.
        let got = unsafe { libc::waitpid(pid, &raw mut status, if hang { 0 } else { libc::WNOHANG }) };
        if got == 0 {
            return Ok(None);
        }
        if got < 0 {
            match last() {
                Errno::INTR => continue,
                error => return Err(error),
            }
        }
        if libc::WIFEXITED(status) {
            return Ok(Some((got, Ended::Code(libc::WEXITSTATUS(status)))));
        }
        if libc::WIFSIGNALED(status) {
            return Ok(Some((got, Ended::Signal(libc::WTERMSIG(status)))));
        }
    }
}

/// Waits for one child to its end.
pub fn wait_for(pid: i32) -> Result<Ended, Errno> {
    wait(pid, true)?.map(|(_, ended)| ended).ok_or(Errno::CHILD)
}

/// SIGKILL to `self` when the parent ends, whatever way. Cleared by the kernel at each change of ids: set it after.
pub fn die_with_parent() -> Result<(), Errno> {
    // SAFETY: plain integers.
    check(c_long::from(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })).map(drop)
}

/// pidfd of any process that this user may signal.
pub fn open_pidfd(pid: i32) -> Result<OwnedFd, Errno> {
    let pid = rustix::process::Pid::from_raw(pid).ok_or(Errno::SRCH)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
}

/// Sends a signal by number; unlike rustix it takes real-time signals too.
pub fn send_signal(pidfd: impl AsFd, signal: i32) -> Result<(), Errno> {
    // SAFETY: plain integers; no siginfo.
    check(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_fd().as_raw_fd(), signal, std::ptr::null::<u8>(), 0)
    })
    .map(drop)
}

/// setns(2): joins the namespaces in `flags` of a process (pidfd) or the one of a namespace file.
pub fn join(fd: BorrowedFd<'_>, flags: i32) -> Result<(), Errno> {
    // SAFETY: plain integers.
    check(c_long::from(unsafe { libc::setns(fd.as_raw_fd(), flags) })).map(drop)
}

/// The user namespace that a namespace belongs to (ioctl_ns(2), NS_GET_USERNS).
pub fn owner_of(namespace: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    const NS_GET_USERNS: libc::c_ulong = 0xb701;
    // SAFETY: the request takes no argument and returns a new descriptor or -1.
    let fd = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS as _) };
    check(c_long::from(fd)).map(|_| {
        // SAFETY: the kernel has just opened it for this process.
        unsafe { OwnedFd::from_raw_fd(fd) }
    })
}

pub fn unshare(flags: i32) -> Result<(), Errno> {
    // SAFETY: no CLONE_FILES or CLONE_VM in use here; plain integers.
    check(c_long::from(unsafe { libc::unshare(flags) })).map(drop)
}
