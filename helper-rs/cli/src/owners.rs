//! Gives the files of a tree to other owners, by descriptor: no link is followed, and no mount below is entered.

use crate::failure::{Failure, Step};
use rustix::fd::OwnedFd;
use rustix::fs::{chownat, fchmod, fchown, fstat, openat, openat2, statat};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, Result};
use rustix::process::{Gid, Uid};
use std::ffi::CStr;

const STEP: &str = "chown";
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What a file's owner is to be; `None` leaves it.
pub type Owner = Option<(u32, u32)>;

/// Everything to one user and group.
pub fn give(tree: &OwnedFd, uid: u32, gid: u32) -> Step<()> {
    change(tree, &mut |stat| Ok(((stat.st_uid, stat.st_gid) != (uid, gid)).then_some((uid, gid))))
}

/// Each file to whom `wanted` says; the tree may be a single file.
pub fn change(tree: &OwnedFd, wanted: &mut dyn FnMut(&Stat) -> Result<Owner>) -> Step<()> {
    let fail = |path: &[u8], errno: Errno| Failure::new(STEP).on(String::from_utf8_lossy(path)).errno(errno);
    let top = fstat(tree).map_err(|errno| fail(b"/", errno))?;
    if FileType::from_raw_mode(top.st_mode) != FileType::Directory {
        return change_open(tree, &top, wanted).map_err(|errno| fail(b"/", errno));
    }
    let mut folders = vec![Vec::new()];
    while let Some(path) = folders.pop() {
        // A mount below belongs to another tree; a folder that went meanwhile, or became a link, is not there any more.
        let folder = match open_below(tree, &path) {
            Err(Errno::XDEV | Errno::NOENT | Errno::LOOP | Errno::NOTDIR) if !path.is_empty() => continue,
            other => other.map_err(|errno| fail(&path, errno))?,
        };
        let stat = fstat(&folder).map_err(|errno| fail(&path, errno))?;
        change_open(&folder, &stat, wanted).map_err(|errno| fail(&path, errno))?;
        for entry in Dir::read_from(&folder).map_err(|errno| fail(&path, errno))? {
            let entry = entry.map_err(|errno| fail(&path, errno))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let child = [&path[..], if path.is_empty() { b"" } else { b"/" }, name.to_bytes()].concat();
            match change_entry(&folder, name, wanted) {
                Ok(true) => folders.push(child),
                Ok(false) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(fail(&child, errno)),
            }
        }
    }
    Ok(())
}

/// Changes what is no folder; answers whether it is one.
fn change_entry(folder: &OwnedFd, name: &CStr, wanted: &mut dyn FnMut(&Stat) -> Result<Owner>) -> Result<bool> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Directory {
        return Ok(true);
    }
    if let Some((uid, gid)) = wanted(&stat)? {
        chownat(folder, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)?;
        // chown(2) takes them away.
        if kind == FileType::RegularFile && stat.st_mode & 0o6000 != 0 {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            fchmod(openat(folder, name, flags, Mode::empty())?, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
        }
    }
    Ok(false)
}

fn change_open(fd: &OwnedFd, stat: &Stat, wanted: &mut dyn FnMut(&Stat) -> Result<Owner>) -> Result<()> {
    let Some((uid, gid)) = wanted(stat)? else { return Ok(()) };
    let (owner, group) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    match fchown(fd, owner, group) {
        // A file that is mounted itself is held by a descriptor that is not open for anything.
        Err(Errno::BADF) => return chownat(fd, c"", owner, group, AtFlags::EMPTY_PATH),
        other => other?,
    }
    if stat.st_mode & 0o6000 != 0 {
        fchmod(fd, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    }
    Ok(())
}

fn open_below(tree: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    loop {
        match openat2(tree, path, FOLDER, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_file_is_looked_at_once_and_no_link_is_followed() {
        let dir = std::env::temp_dir().join(format!("owners-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("tree/a/b")).unwrap();
        std::fs::write(dir.join("outside"), "").unwrap();
        std::fs::write(dir.join("tree/a/b/f"), "").unwrap();
        symlink(dir.join("outside"), dir.join("tree/link")).unwrap();
        symlink("..", dir.join("tree/a/up")).unwrap();
        let tree = rustix::fs::open(dir.join("tree"), FOLDER, Mode::empty()).unwrap();
        let mut seen = Vec::new();
        change(&tree, &mut |stat| {
            seen.push(stat.st_ino);
            Ok(None)
        })
        .unwrap();
        let outside = rustix::fs::stat(dir.join("outside")).unwrap().st_ino;
        seen.sort_unstable();
        let count = seen.len();
        seen.dedup();
        assert_eq!((count, seen.len(), seen.contains(&outside)), (6, 6, false));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_refusal_names_the_file() {
        let dir = std::env::temp_dir().join(format!("owners-refused-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("a")).unwrap();
        std::fs::write(dir.join("a/f"), "").unwrap();
        let tree = rustix::fs::open(&dir, FOLDER, Mode::empty()).unwrap();
        let mut files = |stat: &Stat| match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Err(Errno::PERM),
            _ => Ok(None),
        };
        let failure = change(&tree, &mut files).unwrap_err();
        assert_eq!((failure.step.as_ref(), failure.target.as_deref()), ("chown", Some("a/f")));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
