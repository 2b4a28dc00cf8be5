//! execve(2) and execveat(2).

use super::last;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt;

/// A null-terminated pointer list that borrows its strings.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
}

/// Text of the command line or the environment: neither has a NUL byte.
pub fn c(text: OsString) -> CString {
    CString::new(text.into_vec()).unwrap_or_default()
}

/// This process's own environment.
pub fn own_environment() -> Vec<CString> {
    std::env::vars_os().map(|(key, value)| c([key, "=".into(), value].into_iter().collect())).collect()
}

/// Replaces the program; returns only the reason why it could not.
pub fn exec(path: &CStr, args: &[CString], env: &[CString]) -> Errno {
    let (argv, envp) = (pointers(args), pointers(env));
    // SAFETY: both lists are null-terminated and outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    last()
}

/// The same for an open file.
pub fn exec_fd(file: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> Errno {
    let (argv, envp) = (pointers(args), pointers(env));
    // SAFETY: as above; the path is the empty string.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    last()
}
