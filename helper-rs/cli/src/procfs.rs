//! The host's procfs, by a descriptor that was proven to be it: the only /proc that no image and no container can have replaced.

use crate::failure::{During, Failure, Step};
use rustix::fd::OwnedFd;
use rustix::fs::{fstatfs, openat2, Mode, OFlags, ResolveFlags, PROC_SUPER_MAGIC};
use rustix::io::Errno;
use std::fmt::Display;

/// Before anything of the container is mounted or joined.
pub fn take() -> Step<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open("/proc", flags, Mode::empty()).during("init", "/proc")?;
    match is_procfs(&fd).during("init", "/proc")? {
        true => Ok(fd),
        false => Err(Failure::because("init", "it is not procfs").on("/proc")),
    }
}

/// A file below it: on the same mount, and behind no magic link. Whoever could mount or link something else there would have what is
/// written to one file go to another (CVE-2019-16884, CVE-2025-52881).
pub fn open(proc: &OwnedFd, path: &str, how: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let open = |resolve| openat2(proc, path, how | OFlags::CLOEXEC, Mode::empty(), resolve);
    match open(resolve | ResolveFlags::NO_XDEV) {
        // In a container around us /proc/sys is a mount of its own, of the same kind; what is on it says whether it can be written.
        Err(Errno::XDEV) if path.starts_with("sys/") => {
            let file = open(resolve)?;
            match is_procfs(&file)? {
                true => Ok(file),
                false => Err(Errno::XDEV),
            }
        }
        other => other,
    }
}

pub fn write(proc: &OwnedFd, path: &str, value: &str) -> Result<(), Errno> {
    rustix::io::write(open(proc, path, OFlags::WRONLY)?, value.as_bytes()).map(drop)
}

/// Of this process: its namespaces and its program are behind links that only the kernel can make.
pub fn open_own(proc: &OwnedFd, path: &str, how: OFlags) -> Result<OwnedFd, Errno> {
    let (folder, name) = path.rsplit_once('/').ok_or(Errno::INVAL)?;
    let folder = open(proc, folder, OFlags::PATH | OFlags::DIRECTORY)?;
    rustix::fs::openat(&folder, name, how | OFlags::CLOEXEC, Mode::empty())
}

fn is_procfs(fd: &OwnedFd) -> Result<bool, Errno> {
    Ok(fstatfs(fd)?.f_type == PROC_SUPER_MAGIC)
}

/// What /proc says of a process in a file that has its name, which can be any bytes (PR_SET_NAME): those that are no text are replaced.
/// A container whose processes could not be read of would be none to us.
pub fn text(pid: impl Display, file: &str) -> std::io::Result<String> {
    std::fs::read(format!("/proc/{pid}/{file}")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_procfs_is_reached() {
        let proc = take().unwrap();
        assert!(open(&proc, "self/status", OFlags::RDONLY).is_ok());
        assert_eq!(open(&proc, "self/root/etc/passwd", OFlags::RDONLY).unwrap_err(), Errno::LOOP);
        assert_eq!(open(&proc, "self/cwd", OFlags::PATH).unwrap_err(), Errno::LOOP);
        assert_eq!(open(&proc, "../etc/passwd", OFlags::RDONLY).unwrap_err(), Errno::XDEV);
        assert!(open_own(&proc, "self/ns/user", OFlags::RDONLY).is_ok());
        assert!(open_own(&proc, "self/exe", OFlags::PATH).is_ok());
        assert_eq!(open_own(&proc, "self/root/etc/passwd", OFlags::RDONLY).unwrap_err(), Errno::LOOP);
    }
}
