//! Root emulation for a container with one id: chown-like calls are answered by recording the owner, as containers-storage does,
//! in `user.containers.override_stat` = `UID:GID:0MODE`. The call itself could only fail: there is no second id.

use crate::companion;
use crate::failure::{During, Step};
use crate::inside::{self, Missing};
use crate::override_stat;
use crate::sys::process::{self, Child, Forked};
use crate::sys::seccomp::{self, Notification};
use crate::sys::{signal, socket};
use rootless_core::seccomp::syscalls::{number, Number};
use rootless_core::seccomp::Arch;
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt;

const PATH_MAX: usize = 4096;
const AT_FDCWD: i32 = -100;
const UNCHANGED: u32 = u32::MAX;

/// The process that answers: inside the container's user namespace, because writing attributes of a file that its owner may not
/// write takes the capabilities of the namespace's root. Ended when dropped.
pub struct Notifier {
    child: Child,
    /// More listeners go here: every program that is entered has its own.
    more: OwnedFd,
}

impl Notifier {
    /// Starts to answer for the container that `container` (a pidfd) belongs to.
    pub fn start(listener: &OwnedFd, container: &OwnedFd) -> Step<Notifier> {
        use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
        let (more, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .during("seccomp", "notifier")?;
        match process::fork().during("seccomp", "notifier")? {
            Forked::Child => {
                drop(more);
                signal::ignore_terminal();
                let joined = process::join(container.as_fd(), libc::CLONE_NEWUSER);
                // Joining has cleared it.
                if joined.and_then(|()| process::die_with_parent()).is_ok() {
                    companion::forget_helper(&[listener, &theirs]);
                    serve(listener, theirs);
                }
                process::exit_now(0)
            }
            Forked::Parent(child) => Ok(Notifier { child, more }),
        }
    }

    /// Answers for one more program.
    pub fn add(&self, listener: &OwnedFd) -> Step<()> {
        socket::send(&self.more, b"+", Some(listener.as_fd())).during("seccomp", "notifier")
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        let _ = process::send_signal(&self.child.pidfd, libc::SIGKILL);
        let _ = process::wait_for(self.child.pid);
    }
}

/// Until there is nobody left who could ask, or who could bring another one.
fn serve(first: &OwnedFd, more: OwnedFd) {
    let mut listeners: Vec<OwnedFd> = rustix::io::fcntl_dupfd_cloexec(first, 3).into_iter().collect();
    let mut more = Some(more);
    while !listeners.is_empty() || more.is_some() {
        let mut fds: Vec<PollFd<'_>> = listeners.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        fds.extend(more.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        let fired: Vec<PollFlags> = fds.iter().map(|fd| fd.revents()).collect();
        let count = listeners.len();
        let mut open = fired.iter();
        listeners.retain(|listener| match open.next() {
            Some(flags) if flags.contains(PollFlags::IN) => answer(listener),
            Some(flags) => flags.is_empty(),
            None => true,
        });
        if fired.get(count).is_some_and(|flags| !flags.is_empty()) {
            match more.as_ref().map(|more| socket::receive(more, &mut [0; 8])) {
                Some(Ok((_, Some(listener)))) => listeners.push(listener),
                _ => more = None,
            }
        }
    }
}

/// Answers one call; false when no process is left that could ask.
fn answer(listener: &OwnedFd) -> bool {
    let asked = match seccomp::receive(listener.as_fd()) {
        Ok(asked) => asked,
        // The asking process was killed meanwhile.
        Err(Errno::INTR | Errno::AGAIN | Errno::NOENT) => return true,
        Err(_) => return false,
    };
    let errno = match act(listener, &asked) {
        Ok(()) => 0,
        Err(error) => error.raw_os_error(),
    };
    let _ = seccomp::respond(listener.as_fd(), asked.id, errno);
    true
}

fn act(listener: &OwnedFd, asked: &Notification) -> Result<(), Errno> {
    let a = asked.args;
    let (file, uid, gid) = match name(asked) {
        Some("chown" | "chown32") => (by_path(asked, AT_FDCWD, a[0], true)?, a[1], a[2]),
        Some("lchown" | "lchown32") => (by_path(asked, AT_FDCWD, a[0], false)?, a[1], a[2]),
        Some("fchown" | "fchown32") => (by_fd(asked, a[0] as i32)?, a[1], a[2]),
        Some("fchownat") => {
            const NOFOLLOW: u64 = 0x100;
            const EMPTY_PATH: u64 = 0x1000;
            let file = if a[4] & EMPTY_PATH != 0 && read_path(asked, a[1])?.is_empty() && a[0] as i32 != AT_FDCWD {
                by_fd(asked, a[0] as i32)?
            } else {
                by_path(asked, a[0] as i32, a[1], a[4] & NOFOLLOW == 0)?
            };
            (file, a[2], a[3])
        }
        _ => return Err(Errno::NOSYS),
    };
    // What was read of the process is its own only while it still waits in this call (seccomp_unotify(2)).
    if !seccomp::still_valid(listener.as_fd(), asked.id) {
        return Err(Errno::NOENT);
    }
    record(&file, narrow(uid), narrow(gid))
}

/// Which of the calls that are answered here it is.
fn name(asked: &Notification) -> Option<&'static str> {
    const CALLS: &[&str] = &["chown", "lchown", "fchown", "fchownat", "chown32", "lchown32", "fchown32"];
    let nr = u32::try_from(asked.nr).ok()?;
    let archs =
        [Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64].into_iter().filter(|arch| arch.token() == asked.arch);
    archs
        .flat_map(|arch| CALLS.iter().map(move |call| (arch, *call)))
        .find(|(arch, call)| number(call, *arch) == Number::Is(nr))
        .map(|(_, call)| call)
}

/// Ids have 32 bits whatever the register holds above.
fn narrow(id: u64) -> u32 {
    id as u32
}

fn record(file: &OwnedFd, uid: u32, gid: u32) -> Result<(), Errno> {
    let (old_uid, old_gid) = override_stat::read(file).unwrap_or((0, 0));
    let new = |id: u32, old: u32| if id == UNCHANGED { old } else { id };
    let mode = rustix::fs::fstat(file)?.st_mode & 0o7777;
    match override_stat::write(file, new(uid, old_uid), new(gid, old_gid), mode) {
        // Links and devices carry no user attributes, and some filesystems none at all: the call succeeds, the owner is lost.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSPC) => Ok(()),
        other => other,
    }
}

fn by_fd(asked: &Notification, fd: i32) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/{}/fd/{fd}", asked.pid);
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|_| Errno::BADF)
}

/// Resolved inside the asking process's own root, so that no path of the container's names a file outside.
fn by_path(asked: &Notification, dirfd: i32, address: u64, follow: bool) -> Result<OwnedFd, Errno> {
    let path = read_path(asked, address)?;
    let path = if path.starts_with('/') {
        path
    } else {
        let base = if dirfd == AT_FDCWD { "cwd".to_string() } else { format!("fd/{dirfd}") };
        let base = std::fs::read_link(format!("/proc/{}/{base}", asked.pid)).map_err(|_| Errno::BADF)?;
        format!("{}/{path}", base.to_str().ok_or(Errno::INVAL)?)
    };
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY;
    let root = rustix::fs::open(format!("/proc/{}/root", asked.pid), flags, Mode::empty())?;
    inside::open(root, &path, Missing::Refuse, !follow)
}

fn read_path(asked: &Notification, address: u64) -> Result<String, Errno> {
    let memory = File::open(format!("/proc/{}/mem", asked.pid)).map_err(|_| Errno::PERM)?;
    let mut out = Vec::new();
    // Up to the next page each time: the string may end just before memory that is not there.
    while out.len() < PATH_MAX {
        let at = address + out.len() as u64;
        let mut page = vec![0; 4096 - (at % 4096) as usize];
        let got = memory.read_at(&mut page, at).map_err(|_| Errno::FAULT)?;
        if let Some(end) = page[..got].iter().position(|byte| *byte == 0) {
            out.extend_from_slice(&page[..end]);
            return String::from_utf8(out).map_err(|_| Errno::ILSEQ);
        }
        if got == 0 {
            return Err(Errno::FAULT);
        }
        out.extend_from_slice(&page[..got]);
    }
    Err(Errno::NAMETOOLONG)
}
