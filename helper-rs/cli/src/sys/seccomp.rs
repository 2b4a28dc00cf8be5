//! seccomp(2): load a filter, and answer its user notifications (seccomp_unotify(2)).

use super::check;
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::c_long;

/// One BPF instruction, `struct sock_filter`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

#[repr(C)]
struct Program {
    len: u16,
    filter: *const Filter,
}

/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`: the load answers a notification descriptor.
pub const NEW_LISTENER: u32 = 1 << 3;

/// Loads a filter for this process; needs no_new_privs or CAP_SYS_ADMIN.
pub fn load(filter: &[Filter], flags: u32) -> Result<Option<OwnedFd>, Errno> {
    let program = Program { len: u16::try_from(filter.len()).map_err(|_| Errno::TOOBIG)?, filter: filter.as_ptr() };
    // SAFETY: program points to `len` instructions that live through the call.
    let fd =
        check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) })?;
    if flags & NEW_LISTENER == 0 {
        return Ok(None);
    }
    // SAFETY: with the flag the answer is a new descriptor.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
}

/// `struct seccomp_notif`: a system call that waits for an answer.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Notification {
    pub id: u64,
    pub pid: u32,
    pub flags: u32,
    pub nr: i32,
    pub arch: u32,
    pub instruction_pointer: u64,
    pub args: [u64; 6],
}

#[repr(C)]
struct Response {
    id: u64,
    val: i64,
    error: i32,
    flags: u32,
}

const fn iowr(number: u64, size: usize) -> u64 {
    3 << 30 | (size as u64) << 16 | (b'!' as u64) << 8 | number
}
const RECV: u64 = iowr(0, size_of::<Notification>());
const SEND: u64 = iowr(1, size_of::<Response>());
const ID_VALID: u64 = 1 << 30 | 8 << 16 | (b'!' as u64) << 8 | 2;

/// Takes the next notification.
pub fn receive(listener: BorrowedFd<'_>) -> Result<Notification, Errno> {
    let mut notification = Notification::default();
    // SAFETY: zeroed (the kernel checks that), of the size in the request number.
    check(c_long::from(unsafe { libc::ioctl(listener.as_raw_fd(), RECV as _, &raw mut notification) }))?;
    Ok(notification)
}

/// True while the process still waits in that call; what was read of it before is then its own.
pub fn still_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: id lives through the call.
    check(c_long::from(unsafe { libc::ioctl(listener.as_raw_fd(), ID_VALID as _, &raw const id) })).is_ok()
}

/// Answers a call with its value, or with an errno.
pub fn respond(listener: BorrowedFd<'_>, id: u64, answer: Result<i64, Errno>) -> Result<(), Errno> {
    let error = answer.err().map_or(0, Errno::raw_os_error);
    send(listener, &Response { id, val: answer.unwrap_or(0), error: -error, flags: 0 })
}

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`: the kernel makes the call. Not for a call that the answer was to forbid: its
/// arguments in memory may be others by now.
pub fn proceed(listener: BorrowedFd<'_>, id: u64) -> Result<(), Errno> {
    const CONTINUE: u32 = 1;
    send(listener, &Response { id, val: 0, error: 0, flags: CONTINUE })
}

fn send(listener: BorrowedFd<'_>, response: &Response) -> Result<(), Errno> {
    // SAFETY: response lives through the call and has the size in the request number.
    check(c_long::from(unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, std::ptr::from_ref(response)) })).map(drop)
}
