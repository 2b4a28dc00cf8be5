//! The helper runs from a sealed view of itself, or a copy, wherever the container's root could write to the original.
//!
//! A program in the container that is `/proc/self/exe`, or a script with that interpreter, is this file on the host; opened
//! through /proc/PID/exe it could be overwritten (CVE-2019-5736). Installed by the host's root the file belongs to an id that is
//! not mapped, and no copy is needed.

use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Forked};
use crate::sys::{exec, socket};
use crate::userns::{self, IdMap};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    fcntl_add_seals, fcntl_get_seals, fstat, memfd_create, openat, MemfdFlags, Mode, OFlags, SealFlags, CWD,
};
use rustix::io::{fcntl_setfd, Errno, FdFlags};
use rustix::mount::{
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, move_mount, FsMountFlags, FsOpenFlags, MountAttrFlags,
    MoveMountFlags,
};
use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
use std::path::Path;

const OVERLAY_MAGIC: rustix::fs::FsWord = 0x794c_7630;

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

/// Before the configuration is read, so that it is read once: hardly a container has a map without the caller's own id.
pub fn ensure_own(events: Option<&OwnedFd>) -> Step<()> {
    let me = open_self()?;
    let (owner, caller) = (fstat(&me).during("init", "/proc/self/exe")?.st_uid, rustix::process::geteuid());
    match owner == caller.as_raw() && !caller.is_root() && !is_sealed(&me) {
        true => restart_sealed(&me, events),
        false => Ok(()),
    }
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

/// A copy in memory, or a view that no name leads to: what is looked up by that name is not this file, or nothing.
fn is_sealed(file: &OwnedFd) -> bool {
    if fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::WRITE)) {
        return true;
    }
    let is_overlay = rustix::fs::fstatfs(file).is_ok_and(|fs| fs.f_type == OVERLAY_MAGIC);
    let named = std::fs::read_link("/proc/self/exe").ok().and_then(|path| rustix::fs::stat(&path).ok());
    let own = rustix::fs::fstat(file).ok().map(|stat| (stat.st_dev, stat.st_ino));
    is_overlay && named.map(|stat| (stat.st_dev, stat.st_ino)) != own
}

/// Returns only if it could not.
fn restart_sealed(me: &OwnedFd, events: Option<&OwnedFd>) -> Step<()> {
    let sealed = match view() {
        Ok(view) => view,
        // No overlay here, or its folder has an awkward name.
        Err(_) => copy(me)?,
    };
    if let Some(events) = events {
        fcntl_setfd(events, FdFlags::empty()).during("init", "events")?;
    }
    let args: Vec<_> = std::env::args_os().map(exec::c).collect();
    let errno = exec::exec_fd(sealed.as_fd(), &args, &exec::own_environment());
    Err(Failure::new("init").errno(errno).on("sealed copy"))
}

/// The same file through an overlay that has no upper folder and is mounted nowhere: nobody can write to it that way, nobody has the
/// rights to change that, and its pages are those of the file, shared by all that run it.
fn view() -> Step<OwnedFd> {
    let path = std::fs::read_link("/proc/self/exe").during("init", "/proc/self/exe")?;
    let unfit = || Failure::because("init", "its name is not fit for an overlay").on(path.display());
    let (folder, name) = (path.parent().and_then(Path::to_str), path.file_name());
    let (folder, name) = folder.zip(name).ok_or_else(unfit)?;
    if folder.contains([':', ',', '\\']) {
        return Err(unfit());
    }
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .during("init", "socketpair")?;
    // The end of a mount namespace takes the kernel milliseconds, for which nobody waits: a grandchild makes it.
    userns::in_child(|| match process::fork().during("clone", "view")? {
        Forked::Parent(_) => Ok(()),
        Forked::Child => {
            if let Ok(mount) = mount_view(folder) {
                let _ = socket::send(&theirs, b"v", Some(mount.as_fd()));
            }
            process::exit_now(0)
        }
    })?;
    drop(theirs);
    let (_, mount) = socket::receive(&ours, &mut [0; 8]).during("init", "socketpair")?;
    let mount = mount.ok_or_else(unfit)?;
    let view = openat(&mount, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("init", name.display())?;
    match is_same(&view, &open_self()?) {
        true => Ok(view),
        // Another file has its name now.
        false => Err(unfit()),
    }
}

/// The size and the time of a change stand for the content: an overlay has inode numbers of its own.
fn is_same(one: &OwnedFd, other: &OwnedFd) -> bool {
    let facts = |file| {
        fstat(file).map(|stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec))
    };
    matches!((facts(one), facts(other)), (Ok(one), Ok(other)) if one == other)
}

/// In namespaces for the moment, with no id but our own. An overlay without an upper folder wants two below: the second is an empty
/// tmpfs, on a folder that is needed no more.
fn mount_view(folder: &str) -> Result<OwnedFd, Errno> {
    let own = rustix::process::geteuid().as_raw();
    process::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
    let map = std::fs::write("/proc/self/uid_map", format!("{own} {own} 1"));
    map.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let empty = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&empty)?;
    let empty = fsmount(&empty, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    move_mount(&empty, "", CWD, "/proc", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&overlay, "lowerdir", format!("{folder}:/proc"))?;
    fsconfig_create(&overlay)?;
    fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

fn copy(me: &OwnedFd) -> Step<OwnedFd> {
    let copy =
        memfd_create("rootless-helper", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).during("init", "memfd")?;
    loop {
        if rustix::fs::sendfile(&copy, me, None, 1 << 24).during("init", "copy of the helper")? == 0 {
            break;
        }
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&copy, seals).during("init", "seals")?;
    Ok(copy)
}
