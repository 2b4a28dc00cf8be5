//! dup3(2), fcntl(2), close_range(2): which descriptors a process has, and whose they are.

use super::super::check;
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::c_long;

/// Marks all file descriptors from `first` as close-on-exec (close_range(2), Linux 5.11).
pub fn cloexec_from(first: u32) -> Result<(), Errno> {
    // SAFETY: only sets a flag on descriptors, closes none that safe code owns.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Puts a copy of a descriptor at a fixed number, open across exec.
pub fn dup_to(fd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    if fd.as_raw_fd() == number {
        // SAFETY: clears FD_CLOEXEC of a descriptor that the caller holds.
        return check(c_long::from(unsafe { libc::fcntl(number, libc::F_SETFD, 0) })).map(drop);
    }
    // SAFETY: called after fork with numbers that no owner in this process uses before exec.
    check(c_long::from(unsafe { libc::dup2(fd.as_raw_fd(), number) })).map(drop)
}

/// Makes a descriptor that has an owner stand for another file (dup3(2)); it stays close-on-exec.
pub fn replace(fd: &OwnedFd, file: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the number stays open and keeps its owner.
    check(c_long::from(unsafe { libc::dup3(file.as_raw_fd(), fd.as_raw_fd(), libc::O_CLOEXEC) })).map(drop)
}

/// Closes what this program was given and nobody asked it to take: descriptors without close-on-exec from 3 on, but those that
/// `keep` names.
pub fn close_inherited(keep: impl Fn(i32) -> bool) {
    let list = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = list.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2 && !keep(*number)) {
        // SAFETY: all that is owned in this program is close-on-exec, so what is not has no owner.
        unsafe {
            if libc::fcntl(number, libc::F_GETFD) == 0 {
                libc::close(number);
            }
        }
    }
}

/// Closes all above standard error but `keep`, whoever owns them: for a fork that stays and never returns to their owners.
pub fn abandon_descriptors(keep: &[&OwnedFd]) {
    let mut numbers: Vec<u32> = keep.iter().map(|fd| fd.as_raw_fd() as u32).collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers.into_iter().chain([u32::MAX]) {
        if number > first {
            // SAFETY: what is closed here is not used again in this process, which ends by _exit.
            unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0) };
        }
        first = first.max(number.saturating_add(1));
    }
}

/// Takes over a descriptor that the caller of this program passed by number.
pub fn adopt(number: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: sets a flag; fails if the number is not open.
    check(c_long::from(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) }))?;
    // SAFETY: it is open, and by the contract of the command line nobody else in this process uses it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
