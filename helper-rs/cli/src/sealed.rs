//! The helper runs from a sealed copy of itself wherever the container's root could write to the original.
//!
//! A program in the container that is `/proc/self/exe`, or a script with that interpreter, is this file on the host; opened
//! through /proc/PID/exe it could be overwritten (CVE-2019-5736). Installed by the host's root the file belongs to an id that is
//! not mapped, and no copy is needed.

use crate::failure::{During, Failure, Step};
use crate::sys::exec;
use crate::userns::IdMap;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{fcntl_add_seals, fcntl_get_seals, memfd_create, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::{fcntl_setfd, FdFlags};

/// For `front`, which cannot start anew once it has a child: the map is not known yet, so the file must be of the host's root, and
/// the caller somebody else.
pub fn ensure_early() -> Step<()> {
    let me = open_self()?;
    let owner = rustix::fs::fstat(&me).during("init", "/proc/self/exe")?.st_uid;
    if (owner == 0 && !rustix::process::geteuid().is_root()) || is_sealed(&me) {
        return Ok(());
    }
    restart_sealed(&me, None)
}

/// Restarts the helper from a sealed memory file if its own file could be changed by ids of `map`.
/// Of the descriptors that the command line names, `events` was adopted already: the copy must find it open again.
pub fn ensure(map: &IdMap, in_user_namespace: bool, events: Option<&OwnedFd>) -> Step<()> {
    let me = open_self()?;
    let owner = rustix::fs::fstat(&me).during("init", "/proc/self/exe")?.st_uid;
    let exposed = if in_user_namespace { map.has_host_uid(owner) } else { true };
    if !exposed || is_sealed(&me) {
        return Ok(());
    }
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "front") {
        return Err(Failure::because("init", "its file belongs to an id of the container").on("rootless-helper"));
    }
    restart_sealed(&me, events)
}

fn open_self() -> Step<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open("/proc/self/exe", flags, Mode::empty()).during("init", "/proc/self/exe")
}

fn is_sealed(file: &OwnedFd) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::WRITE))
}

/// Returns only if it could not.
fn restart_sealed(me: &OwnedFd, events: Option<&OwnedFd>) -> Step<()> {
    let copy =
        memfd_create("rootless-helper", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).during("init", "memfd")?;
    loop {
        if rustix::fs::sendfile(&copy, me, None, 1 << 24).during("init", "copy of the helper")? == 0 {
            break;
        }
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&copy, seals).during("init", "seals")?;
    if let Some(events) = events {
        fcntl_setfd(events, FdFlags::empty()).during("init", "events")?;
    }
    let args: Vec<_> = std::env::args_os().map(exec::c).collect();
    let errno = exec::exec_fd(copy.as_fd(), &args, &exec::own_environment());
    Err(Failure::new("init").errno(errno).on("sealed copy"))
}
