//! The root of an unpacked tree, and the only way into it: every folder is reached by openat2 and stays below the root.

use crate::layers::whiteout::{is_whiteout, set_opaque};
use rustix::fs::{chmodat, chownat, fstat, mkdirat, openat2, statat, unlinkat, AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};
use rustix::process::{getegid, geteuid, Gid, Uid};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Folders kept open: well under the usual 1,024 descriptors.
const OPEN_FOLDERS: usize = 128;

/// Symbolic links inside a name are followed as a process in the container would see them: an absolute target starts
/// at the root, `..` stops there (docker and podman unpack inside a chroot, which is the same). They never lead out.
const RESOLVE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

pub struct Root {
    fd: OwnedFd,
    open: HashMap<Vec<u8>, Rc<Folder>>,
    uid: u32,
    gid: u32,
}

/// An open folder to create names in.
pub struct Folder {
    fd: OwnedFd,
    /// What is created here belongs to us, and a folder gets exactly the mode asked for: no set-group-id, no foreign group.
    pub plain: bool,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Root {
    pub fn new(fd: OwnedFd) -> Root {
        Root { fd, open: HashMap::new(), uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    /// The ids that new files get by themselves.
    pub fn ids(&self) -> (u32, u32) {
        (self.uid, self.gid)
    }

    /// The folder at a clean path. Missing ones on the way are made, mode 0755, ours.
    pub fn folder(&mut self, path: &[u8]) -> Result<Rc<Folder>> {
        if let Some(folder) = self.open.get(path) {
            return Ok(Rc::clone(folder));
        }
        match self.existing_folder(path) {
            Err(Errno::NOENT | Errno::NOTDIR) if !path.is_empty() => {
                self.make(path)?;
                self.existing_folder(path)
            }
            result => result,
        }
    }

    /// The folder at a clean path, if it is there.
    pub fn existing_folder(&mut self, path: &[u8]) -> Result<Rc<Folder>> {
        if let Some(folder) = self.open.get(path) {
            return Ok(Rc::clone(folder));
        }
        let fd = self.open_at(path, OFlags::PATH | OFlags::DIRECTORY)?;
        let stat = fstat(&fd)?;
        let folder = Rc::new(Folder { fd, plain: stat.st_gid == self.gid && stat.st_mode & 0o2000 == 0 });
        if self.open.len() >= OPEN_FOLDERS {
            self.open.clear();
        }
        self.open.insert(path.to_vec(), Rc::clone(&folder));
        Ok(folder)
    }

    /// Opens a path below the root; a symbolic link as its last component is followed (inside) unless NOFOLLOW is given.
    pub fn open_at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        loop {
            // EAGAIN: something was renamed anywhere while `..` was looked up.
            match openat2(&self.fd, path, flags | OFlags::CLOEXEC, Mode::empty(), RESOLVE) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
    }

    /// To be called when a folder or a symbolic link went away, or a folder changed: open folders may be others by now.
    pub fn forget(&mut self) {
        self.open.clear();
    }

    /// Makes what is missing on the way to `path`.
    fn make(&mut self, path: &[u8]) -> Result<()> {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([path.len()]);
        let mut start = 0;
        for end in ends {
            let name = &path[start..end];
            let parent = self.existing_folder(&path[..start.saturating_sub(1)])?;
            match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => self.own(&parent, name)?,
                Err(Errno::EXIST) if is_whiteout(&statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?) => {
                    unlinkat(&parent, name, AtFlags::empty())?;
                    mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
                    self.own(&parent, name)?;
                    set_opaque(&parent, name)?;
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            start = end + 1;
        }
        Ok(())
    }

    /// A folder made by ourselves in one with a foreign group: ours all the same.
    fn own(&self, parent: &Folder, name: &[u8]) -> Result<()> {
        if parent.plain {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        chmodat(parent, name, Mode::from_raw_mode(0o755), AtFlags::empty())
    }
}
