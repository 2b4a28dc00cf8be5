//! Deletes trees, as mapped ids: by folder descriptor, never through a symbolic link, however deep.

use crate::failure::{Failure, Step};
use rustix::fs::{chmodat, fchmod, fstat, openat, statat, unlinkat, AtFlags, Dir, FileType, Mode, OFlags, CWD};
use rustix::io::{Errno, Result};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Folders kept open on the way down; those above are found again through `..`.
const OPEN_FOLDERS: usize = 64;

/// Deletes a file or a tree. What is not there is no failure.
pub fn remove_tree(path: &Path) -> Step<()> {
    let fail = |errno: Errno| Failure::new("remove").errno(errno).on(path.display());
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| fail(Errno::INVAL))?;
    remove_at(CWD, &name).map_err(fail)
}

/// A folder on the way down.
struct Level {
    /// `None` while it is too far up to stay open.
    fd: Option<OwnedFd>,
    /// What `..` must lead back to.
    device: u64,
    inode: u64,
    /// Its folders that are still there.
    folders: Vec<CString>,
}

/// Deletes `name` and everything below it.
pub fn remove_at(parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // EISDIR on Linux; a trailing slash or "." gives the others.
        Err(Errno::ISDIR | Errno::NOTDIR | Errno::INVAL | Errno::BUSY) => {}
        Err(error) => return Err(error),
    }
    let mut stack = vec![enter(parent, name)?];
    loop {
        let depth = stack.len();
        let Some(level) = stack.last_mut() else { break };
        let Some(fd) = level.fd.as_ref() else { return Err(Errno::BADF) };
        match level.folders.last() {
            Some(child) => {
                let below = enter(fd.as_fd(), child)?;
                if let Some(above) = depth.checked_sub(OPEN_FOLDERS).and_then(|at| stack.get_mut(at)) {
                    above.fd = None;
                }
                stack.push(below);
            }
            None => {
                leave(&mut stack, parent, name)?;
            }
        }
    }
    Ok(())
}

/// The last level is empty: goes back up and removes it from there.
fn leave(stack: &mut Vec<Level>, root: BorrowedFd<'_>, root_name: &CStr) -> Result<()> {
    let Some(empty) = stack.pop() else { return Ok(()) };
    let Some(above) = stack.last_mut() else { return unlinkat(root, root_name, AtFlags::REMOVEDIR) };
    if above.fd.is_none() {
        let Some(fd) = &empty.fd else { return Err(Errno::BADF) };
        let back = openat(fd, "..", FOLDER, Mode::empty())?;
        let stat = fstat(&back)?;
        // Somebody moved the folder while we were in it: not our tree any more.
        if (stat.st_dev, stat.st_ino) != (above.device, above.inode) {
            return Err(Errno::STALE);
        }
        above.fd = Some(back);
    }
    drop(empty);
    let (Some(fd), Some(name)) = (&above.fd, above.folders.pop()) else { return Err(Errno::BADF) };
    match unlinkat(fd, &name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a folder, deletes the files in it and lists its folders.
fn enter(parent: BorrowedFd<'_>, name: &CStr) -> Result<Level> {
    let fd = match openat(parent, name, FOLDER, Mode::empty()) {
        // overlayfs leaves work/work with mode 000; programs leave folders without r or x.
        Err(Errno::ACCESS) => {
            chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            openat(parent, name, FOLDER, Mode::empty())?
        }
        result => result?,
    };
    let stat = fstat(&fd)?;
    if stat.st_mode & 0o300 != 0o300 {
        // Not ours to change, perhaps, but then deleting says so.
        let _ = fchmod(&fd, Mode::RWXU);
    }
    let mut folders = Vec::new();
    for entry in Dir::read_from(&fd)? {
        let entry = entry?;
        let child = entry.file_name();
        if matches!(child.to_bytes(), b"." | b"..") {
            continue;
        }
        if is_folder(&fd, child, entry.file_type())? {
            folders.push(child.to_owned());
            continue;
        }
        match unlinkat(&fd, child, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Level { fd: Some(fd), device: stat.st_dev, inode: stat.st_ino, folders })
}

fn is_folder(parent: &OwnedFd, name: &CStr, listed: FileType) -> Result<bool> {
    match listed {
        FileType::Unknown => match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        },
        known => Ok(known == FileType::Directory),
    }
}
