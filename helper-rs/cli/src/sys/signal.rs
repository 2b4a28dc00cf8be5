//! signalfd(2) and signal masks.

use super::{check, last};
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::c_long;
use std::mem::MaybeUninit;

/// All signals but those that mean a fault of our own, or job control of our own process.
fn forwarded() -> libc::sigset_t {
    let own = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGABRT,
        libc::SIGTRAP,
        libc::SIGSYS,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGCONT,
    ];
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set; sigdelset changes it.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        let mut set = set.assume_init();
        for signal in own {
            libc::sigdelset(&raw mut set, signal);
        }
        set
    }
}

/// Blocks the signals that are to be forwarded and answers a descriptor to read them from.
pub fn catch() -> Result<OwnedFd, Errno> {
    let set = forwarded();
    // SAFETY: set is initialised; -1 makes a new descriptor, which nobody else owns.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        let fd = check(c_long::from(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)))?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

/// Sends it to this process, where it waits for the next `catch`.
pub fn keep(signal: i32) {
    // SAFETY: no preconditions.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// A signal that arrived: its number, and the process that sent it (0 = the kernel, or outside our pid namespace).
pub struct Caught {
    pub signal: i32,
    pub sender: i32,
}

/// The next caught signal, or `None` if there is none now.
pub fn next(fd: BorrowedFd<'_>) -> Result<Option<Caught>, Errno> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: info has room for one record, which is plain data.
    let got = unsafe { libc::read(fd.as_raw_fd(), info.as_mut_ptr().cast(), size) };
    if got < 0 {
        return match last() {
            Errno::AGAIN => Ok(None),
            error => Err(error),
        };
    }
    // SAFETY: zeroed plain data, and the kernel writes whole records.
    let info = unsafe { info.assume_init() };
    Ok(Some(Caught { signal: info.ssi_signo as i32, sender: info.ssi_pid as i32 }))
}

/// Default actions and an empty mask, as a program expects them after exec.
pub fn reset() {
    // SAFETY: default dispositions; signals that cannot be changed (KILL, STOP) only answer an error.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// Lets keys that interrupt the whole process group pass by: this process ends with another one, not with the terminal.
pub fn ignore_terminal() {
    // SAFETY: plain dispositions.
    unsafe {
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM, libc::SIGTSTP] {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}
