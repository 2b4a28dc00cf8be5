//! Paths below a root filesystem that is not trusted: resolved by the kernel inside the root, or walked by dirfd.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{mkdirat, openat, openat2, readlinkat, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::VecDeque;

/// What to make where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Refuse,
    MakeFolder,
    MakeFile,
}

const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Opens a path (O_PATH) inside `root`: `..` and absolute links stay inside, magic links are refused.
pub fn open(root: impl AsFd, path: &str, missing: Missing, no_follow: bool) -> Result<OwnedFd, Errno> {
    let flags = if no_follow { PATH | OFlags::NOFOLLOW } else { PATH };
    match open_as(root.as_fd(), path, flags) {
        Err(Errno::NOENT) if missing != Missing::Refuse => make(root.as_fd(), path, missing),
        other => other,
    }
}

/// Opens for reading, inside `root`.
pub fn open_file(root: impl AsFd, path: &str) -> Result<OwnedFd, Errno> {
    open_as(root.as_fd(), path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK)
}

fn open_as(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let path = match path.trim_start_matches('/') {
        "" => ".",
        relative => relative,
    };
    loop {
        match openat2(root, path, flags, Mode::empty(), resolve) {
            // The kernel gives up when something was renamed meanwhile (openat2(2), EAGAIN).
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

/// Walks component by component, each by dirfd and without following, and makes what is not there; links, dangling ones
/// too, are expanded inside the root.
fn make(root: BorrowedFd<'_>, path: &str, missing: Missing) -> Result<OwnedFd, Errno> {
    let mut todo: VecDeque<String> = path.split('/').map(str::to_string).collect();
    let mut walked: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                walked.pop();
                continue;
            }
            _ => {}
        }
        let here = walked.last().map_or(root, AsFd::as_fd);
        let last = todo.iter().all(|rest| rest.is_empty() || rest == ".");
        let next = match openat(here, &name, PATH | OFlags::NOFOLLOW, Mode::empty()) {
            Err(Errno::NOENT) => make_one(here, &name, if last { missing } else { Missing::MakeFolder })?,
            other => other?,
        };
        if rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&next)?.st_mode) == rustix::fs::FileType::Symlink {
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::LOOP);
            }
            let target = readlinkat(&next, "", Vec::new())?.into_string().map_err(|_| Errno::ILSEQ)?;
            if target.starts_with('/') {
                walked.clear();
            }
            for part in target.split('/').rev() {
                todo.push_front(part.to_string());
            }
            continue;
        }
        walked.push(next);
    }
    match walked.pop() {
        Some(fd) => Ok(fd),
        None => open_as(root, "/", PATH),
    }
}

fn make_one(here: BorrowedFd<'_>, name: &str, missing: Missing) -> Result<OwnedFd, Errno> {
    let made = match missing {
        Missing::MakeFile => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            openat(here, name, flags, Mode::from_raw_mode(0o644)).map(drop)
        }
        _ => mkdirat(here, name, Mode::from_raw_mode(0o755)),
    };
    match made {
        Ok(()) | Err(Errno::EXIST) => openat(here, name, PATH | OFlags::NOFOLLOW, Mode::empty()),
        Err(error) => Err(error),
    }
}

/// Reads a small file inside `root`; `limit` bytes at most.
pub fn read(root: impl AsFd, path: &str, limit: usize) -> Result<Vec<u8>, Errno> {
    let file = open_file(root, path)?;
    if rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    let mut out = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        match rustix::io::read(&file, &mut buffer)? {
            0 => return Ok(out),
            _ if out.len() > limit => return Err(Errno::FBIG),
            got => out.extend_from_slice(&buffer[..got]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn root(name: &str) -> (std::path::PathBuf, OwnedFd) {
        let dir = std::env::temp_dir().join(format!("inside-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("root/etc")).unwrap();
        let fd = rustix::fs::open(dir.join("root"), PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        (dir, fd)
    }

    #[test]
    fn a_target_is_made_behind_dangling_links_but_never_outside() {
        let (dir, fd) = root("dangling");
        symlink("../../../../run/resolv.conf", dir.join("root/etc/resolv.conf")).unwrap();
        open(&fd, "/etc/resolv.conf", Missing::MakeFile, false).unwrap();
        assert!(dir.join("root/run/resolv.conf").is_file());
        symlink("/../../outside/x", dir.join("root/up")).unwrap();
        open(&fd, "up/y", Missing::MakeFolder, false).unwrap();
        assert!(dir.join("root/outside/x/y").is_dir());
        assert!(!dir.join("outside").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn links_in_a_circle_and_missing_paths_are_errors() {
        let (dir, fd) = root("circle");
        symlink("b", dir.join("root/a")).unwrap();
        symlink("a", dir.join("root/b")).unwrap();
        assert_eq!(open(&fd, "/a/x", Missing::MakeFolder, false).unwrap_err(), Errno::LOOP);
        assert_eq!(open(&fd, "/none", Missing::Refuse, false).unwrap_err(), Errno::NOENT);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn reading_is_limited_and_only_of_files() {
        let (dir, fd) = root("read");
        fs::write(dir.join("root/etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
        assert_eq!(read(&fd, "/etc/passwd", 1 << 20).unwrap().len(), 26);
        assert_eq!(read(&fd, "/etc", 10).unwrap_err(), Errno::INVAL);
        fs::remove_dir_all(dir).unwrap();
    }
}
