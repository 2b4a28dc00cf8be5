//! mount_setattr(2) (Linux 5.12) and mount(2) with a data string of up to a page.

use super::check;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use std::ffi::{c_long, CStr};

/// `struct mount_attr`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MountAttr {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub userns: u64,
}

/// Changes a mount's attributes; `recursive` also those of all mounts below it.
pub fn set_attr(mount: BorrowedFd<'_>, recursive: bool, attr: MountAttr) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: attr lives through the call and has the size that is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// mount(2) of a new filesystem. The new mount API takes at most 255 bytes a parameter, too few for `lowerdir`.
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, data: &CStr) -> Result<(), Errno> {
    // SAFETY: four C strings that live through the call.
    check(c_long::from(unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, data.as_ptr().cast())
    }))
    .map(drop)
}

/// Changes the propagation of the mount at a path, recursively if `MS_REC` is in the flags.
pub fn propagate(target: &CStr, flags: u64) -> Result<(), Errno> {
    // SAFETY: target is a C string; the other pointers may be null for a change of propagation.
    check(c_long::from(unsafe {
        libc::mount(std::ptr::null(), target.as_ptr(), std::ptr::null(), flags as libc::c_ulong, std::ptr::null())
    }))
    .map(drop)
}
