//! Folders, hard links and whiteouts: what shapes the tree.

use super::attributes::{ids, own, owner, set_mode, timespec};
use super::place::{split, Placer};
use super::refusal::{Placed, Refusal};
use super::root::Folder;
use crate::layers::whiteout::{is_whiteout, set_opaque};
use rootless_core::tar::{Entry, Kind};
use rustix::fs::{linkat, mkdirat, mknodat, openat, statat, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};
use std::os::fd::{AsFd, OwnedFd};

/// Their paths are kept in memory.
const MOST_CLOSED: usize = 1 << 16;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Placer {
    pub(super) fn folder(&mut self, parent: &Folder, name: &[u8], path: &[u8], entry: &Entry) -> Placed<()> {
        let closed = self.policy.copy && entry.mode & 0o700 != 0o700 && !rustix::process::geteuid().is_root();
        if closed {
            return self.closed_folder(parent, name, path, entry);
        }
        let mode = Mode::from_raw_mode(entry.mode & 0o1777);
        let fresh = match mkdirat(parent, name, mode) {
            Err(Errno::EXIST) => self.folder_over(parent, name, mode)?,
            result => result.map(|()| true)?,
        };
        let owner = match (self.policy.single_id, fresh) {
            (true, _) => None,
            (false, true) => owner(entry, &self.root, !parent.plain),
            (false, false) => Some(ids(entry)),
        };
        // Made with the very mode, by its owner: nothing left to change.
        let exact = fresh && !self.policy.copy && owner.is_none() && parent.plain && entry.mode & 0o6000 == 0;
        if !exact || !entry.xattrs.is_empty() || self.policy.single_id {
            let fd = open(parent, name)?;
            match own(fd.as_fd(), owner, (!exact).then_some(entry.mode)) {
                // Copied into a folder of somebody else's, which lets us do that: it stays as it is.
                Err(Refusal::Owner(Errno::PERM) | Refusal::Kernel(Errno::PERM)) if self.policy.copy && !fresh => {
                    return Ok(());
                }
                result => result?,
            }
            self.annotate(&fd, entry, !fresh)?;
        }
        self.remember(path, entry)
    }

    /// A folder that its owner may not write to or enter, with no capability that would help: closed when all is in it.
    fn closed_folder(&mut self, parent: &Folder, name: &[u8], path: &[u8], entry: &Entry) -> Placed<()> {
        if self.closed.len() >= MOST_CLOSED {
            return Err(Refusal::Words("too many folders that their owner may not use"));
        }
        self.closed.push((path.to_vec(), entry.mode));
        self.folder(parent, name, path, &Entry { mode: entry.mode | 0o700, ..entry.clone() })
    }

    /// The name is taken: a folder stays with what is in it, anything else makes room. True if the folder is new.
    fn folder_over(&mut self, parent: &Folder, name: &[u8], mode: Mode) -> Placed<bool> {
        let stat = look(parent, name)?;
        // Its group may change: what is remembered about open folders no longer holds.
        self.root.forget();
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Ok(false);
        }
        if self.policy.copy {
            return Err(Refusal::Words("cannot overwrite something else with a folder"));
        }
        self.clear(parent, name)?;
        mkdirat(parent, name, mode)?;
        if is_whiteout(&stat) {
            set_opaque(parent, name)?;
        }
        Ok(true)
    }

    /// `./` itself: attributes only.
    pub(super) fn root_folder(&mut self, entry: &Entry) -> Placed<()> {
        if entry.kind != Kind::Folder {
            return Err(Refusal::Words("the root of a layer must be a folder"));
        }
        let fd = self.root.open_at(b"", FOLDER)?;
        own(fd.as_fd(), (!self.policy.single_id).then_some(ids(entry)), Some(entry.mode))?;
        self.annotate(&fd, entry, true)?;
        self.root.forget();
        self.remember(b"", entry)
    }

    fn remember(&mut self, path: &[u8], entry: &Entry) -> Placed<()> {
        let pushed = self.folders.push(&self.root, path, timespec(entry));
        pushed.map_err(|error| Refusal::Kernel(Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }

    /// A hard link to something in this layer. Its last component is linked as it is, also if it is a symbolic link.
    pub(super) fn hardlink(&mut self, parent: &Folder, name: &[u8], entry: &Entry) -> Placed<()> {
        let target = self.path(&entry.link).map_err(|_| Refusal::Words("the hard link leads out of the layer"))?;
        let (above, target) = split(&target);
        if target.is_empty() {
            return Err(Refusal::Words("a hard link to the root of the layer"));
        }
        let from = self.root.existing_folder(above)?;
        let link = || linkat(&*from, target, parent, name, AtFlags::empty());
        match link() {
            Err(Errno::EXIST) => {
                let (old, new) = (look(parent, name)?, look(&from, target)?);
                if (old.st_dev, old.st_ino) == (new.st_dev, new.st_ino) {
                    return Ok(());
                }
                // Before anything is taken away for a link that cannot be made.
                if FileType::from_raw_mode(new.st_mode) == FileType::Directory {
                    return Err(Errno::PERM.into());
                }
                if self.policy.copy && FileType::from_raw_mode(old.st_mode) == FileType::Directory {
                    return Err(Refusal::Words("cannot overwrite a folder with something else"));
                }
                self.clear(parent, name)?;
                Ok(link()?)
            }
            result => Ok(result?),
        }
    }

    /// `.wh.NAME` hides NAME of the layers below, `.wh..wh..opq` all that is below this folder; never what this layer has
    /// itself (image-spec, layer.md, "Whiteouts").
    pub(super) fn whiteout(&mut self, parent: &Folder, hidden: &[u8]) -> Placed<()> {
        match hidden {
            b".wh..opq" => return Ok(set_opaque(parent, b".")?),
            // Bookkeeping of aufs, which every engine leaves out.
            _ if hidden.starts_with(b".wh.") => return Ok(()),
            b"" | b"." | b".." => return Err(Refusal::Words("a whiteout that names nothing")),
            _ => {}
        }
        // Anybody may make this one device since Linux 5.8.
        match mknodat(parent, hidden, FileType::CharacterDevice, Mode::empty(), 0) {
            Err(Errno::EXIST) => match FileType::from_raw_mode(look(parent, hidden)?.st_mode) {
                FileType::Directory => Ok(set_opaque(parent, hidden)?),
                _ => Ok(()),
            },
            result => Ok(result?),
        }
    }
}

fn look(folder: &Folder, name: &[u8]) -> Result<Stat> {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Opens a folder of ours, also one that was closed to its owner.
fn open(parent: &Folder, name: &[u8]) -> Result<OwnedFd> {
    match openat(parent, name, FOLDER, Mode::empty()) {
        Err(Errno::ACCESS) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            set_mode(&openat(parent, name, flags, Mode::empty())?, 0o700)?;
            openat(parent, name, FOLDER, Mode::empty())
        }
        result => result,
    }
}
