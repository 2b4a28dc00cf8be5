//! Paths in a tree that others may change at any instant: the kernel resolves each inside the root, and what is opened is used
//! by its descriptor.

use rootless_core::tar::clean;
use rustix::fs::{openat2, readlinkat, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, Result};
use serde_json::{json, Value};
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

pub const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
pub const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Opens a path inside `root`: `..` and absolute links stay inside, magic links are refused.
pub fn open_in(root: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let path = if path.is_empty() { b"." } else { path };
    loop {
        match openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS) {
            // Something was renamed while `..` was looked up.
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// The folder of a path, opened, and the last name; links on the way are followed, the last one is not. The root is in itself
/// as `.`.
pub fn split(root: &OwnedFd, path: &[u8]) -> Result<(OwnedFd, Vec<u8>)> {
    let path = clean(path).map_err(|_| Errno::INVAL)?;
    let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], path[at + 1..].to_vec()),
        None => (&b""[..], if path.is_empty() { b".".to_vec() } else { path.clone() }),
    };
    Ok((open_in(root, above, PATH | OFlags::DIRECTORY)?, name))
}

/// The clean path that a path leads to once every link is followed; what the last name is need not exist.
pub fn resolve(root: &OwnedFd, path: &[u8]) -> Result<Vec<u8>> {
    let parts = |path: &[u8]| path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mut todo: VecDeque<Vec<u8>> = parts(path).into();
    let mut walked: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." => {
                walked.pop();
                continue;
            }
            _ => {}
        }
        walked.push(name);
        let here = walked.join(&b'/');
        let fd = match open_in(root, &here, PATH | OFlags::NOFOLLOW) {
            Err(Errno::NOENT) if todo.iter().all(|rest| rest.is_empty()) => return Ok(here),
            result => result?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(Errno::LOOP);
        }
        let target = readlinkat(&fd, "", Vec::new())?.into_bytes();
        walked.pop();
        if target.starts_with(b"/") {
            walked.clear();
        }
        for part in parts(&target).into_iter().rev() {
            todo.push_front(part);
        }
    }
    Ok(walked.join(&b'/'))
}

/// What stat(2) says, in words.
pub fn facts(stat: &Stat) -> Value {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => "folder",
        FileType::RegularFile => "file",
        FileType::Symlink => "symlink",
        _ => "other",
    };
    json!({
        "type": kind,
        "mode": stat.st_mode & 0o7777,
        "size": stat.st_size,
        "mtime": stat.st_mtime,
        "uid": stat.st_uid,
        "gid": stat.st_gid,
    })
}
