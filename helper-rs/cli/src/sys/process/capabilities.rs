//! capset(2), prctl(2), setfsuid(2), keyctl(2): what a process may do, and who may look into it.

use super::super::check;
use rustix::io::Errno;
use std::ffi::c_long;

/// The five sets as bit masks.
#[derive(Debug, Clone, Copy, Default)]
pub struct CapSets {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
}

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Default, Clone, Copy)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

pub fn set_capabilities(sets: CapSets) -> Result<(), Errno> {
    let header = CapHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let part = |shift: u32| CapData {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let data = [part(0), part(32)];
    // SAFETY: header and data have the layout of version 3 (two words a set).
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

pub fn effective_capabilities() -> Result<u64, Errno> {
    let header = CapHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let mut data = [CapData::default(); 2];
    // SAFETY: as above, data is writable.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    Ok(u64::from(data[0].effective) | u64::from(data[1].effective) << 32)
}

fn prctl(option: i32, a: u64, b: u64) -> Result<(), Errno> {
    // SAFETY: only options with integer arguments are passed by this module.
    check(c_long::from(unsafe { libc::prctl(option, a as libc::c_ulong, b as libc::c_ulong, 0, 0) })).map(drop)
}

/// Removes one capability from the bounding set; numbers that this kernel does not know are no error.
pub fn drop_bounding(capability: u32) -> Result<(), Errno> {
    match prctl(libc::PR_CAPBSET_DROP, u64::from(capability), 0) {
        Err(Errno::INVAL) => Ok(()),
        other => other,
    }
}

pub fn clear_ambient() -> Result<(), Errno> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0)
}

pub fn raise_ambient(capability: u32) -> Result<(), Errno> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, u64::from(capability))
}

/// Keeps the permitted set over a change from uid 0 to another.
pub fn keep_capabilities() -> Result<(), Errno> {
    prctl(libc::PR_SET_KEEPCAPS, 1, 0)
}

pub fn no_new_privileges() -> Result<(), Errno> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)
}

/// setfsuid(2), setfsgid(2): whose rights count for files; capabilities over files go with the first and come back with 0. Both close
/// this process's entry in /proc to others, which stays as open as it was.
pub fn set_file_ids(uid: u32, gid: u32) {
    // SAFETY: plain integers. The calls cannot fail in a way that they could tell.
    unsafe {
        let open = libc::prctl(libc::PR_GET_DUMPABLE) == 1;
        libc::setfsgid(gid);
        libc::setfsuid(uid);
        if open {
            libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
        }
    }
}

/// Hides /proc/self from processes of the same user, so that a container cannot look into the helper.
pub fn set_dumpable(on: bool) -> Result<(), Errno> {
    // SAFETY: plain integers.
    check(c_long::from(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(on), 0, 0, 0) })).map(drop)
}

/// A new session keyring, so that the container does not see the caller's keys.
pub fn new_keyring(name: &std::ffi::CStr) -> Result<(), Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_long = 1;
    // SAFETY: name is a C string that lives through the call.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) }).map(drop)
}
