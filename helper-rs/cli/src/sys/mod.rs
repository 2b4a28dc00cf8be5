//! System calls that rustix has not: the only `unsafe` of the helper, one thin safe function a call.
#![allow(unsafe_code)]

pub mod exec;
pub mod landlock;
pub mod memory;
pub mod mount;
pub mod net;
pub mod process;
pub mod regex;
pub mod seccomp;
pub mod signal;
pub mod socket;

use rustix::io::Errno;

/// Result of a system call that answers -1 on failure.
fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 {
        Err(last())
    } else {
        Ok(result)
    }
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
