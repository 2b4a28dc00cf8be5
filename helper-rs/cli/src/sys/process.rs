//! clone3(2), fork(2), prctl(2), capset(2), setns(2), close_range(2), keyctl(2): processes and what they carry.

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

/// Ends at once: no destructors, no flushing of buffers that the parent shares.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
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

/// Hides /proc/self from processes of the same user, so that a container cannot look into the helper.
pub fn set_dumpable(on: bool) -> Result<(), Errno> {
    // SAFETY: plain integers.
    check(c_long::from(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(on), 0, 0, 0) })).map(drop)
}

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

/// Marks all file descriptors from `first` as close-on-exec (close_range(2), Linux 5.11).
pub fn cloexec_from(first: u32) -> Result<(), Errno> {
    // SAFETY: only sets a flag on descriptors, closes none that safe code owns.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// A new session keyring, so that the container does not see the caller's keys.
pub fn new_keyring(name: &std::ffi::CStr) -> Result<(), Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_long = 1;
    // SAFETY: name is a C string that lives through the call.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) }).map(drop)
}

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
