//! Puts entries in place. A system call less per file is a tenth of the time, so nothing is asked that can be known.

use super::attributes::set_mode;
use super::folders::Folders;
use super::refusal::{Placed, Refusal};
use super::root::{Folder, Root};
use super::{Policy, Summary, STEP};
use crate::failure::{Failure, Step};
use crate::layers::remove::remove_at;
use crate::layers::used::has_owner;
use rootless_core::tar::{clean, Entry, Escape, Kind, Reader};
use rustix::fs::{statat, unlinkat, AtFlags, FileType, OFlags};
use rustix::io::{Errno, Result};
use std::ffi::CString;
use std::io::BufRead;
use std::os::fd::{AsFd, OwnedFd};

/// PATH_MAX: no process could name what is deeper.
const PATH_LIMIT: usize = 4095;

/// Files that eStargz adds to a layer for those who read it over the network (its table of contents, and where prefetching ends):
/// no part of the image.
const FOR_LAZY_READERS: [&[u8]; 3] = [b"stargz.index.json", b".prefetch.landmark", b".no.prefetch.landmark"];

pub struct Placer {
    pub(super) root: Root,
    pub(super) folders: Folders,
    /// Folders that get their modes at the end.
    pub(super) closed: Vec<(Vec<u8>, u32)>,
    pub(super) policy: Policy,
    pub(super) summary: Summary,
}

impl Placer {
    pub fn new(to: OwnedFd, policy: Policy) -> Placer {
        Placer {
            root: Root::new(to),
            folders: Folders::default(),
            closed: Vec::new(),
            policy,
            summary: Summary::default(),
        }
    }

    /// Places one entry, reading its body from `reader`.
    pub fn place(&mut self, entry: &Entry, reader: &mut Reader<impl BufRead>) -> Step<()> {
        self.summary.entries += 1;
        if has_owner(entry) {
            self.summary.ids.add(entry.uid, entry.gid);
        }
        let (uid, gid) = self.policy.owner.of(entry);
        let mode = if self.policy.harmless { entry.mode & 0o1777 } else { entry.mode };
        let placed = match (uid, gid, mode) == (entry.uid, entry.gid, entry.mode) {
            true => self.place_named(entry, reader),
            false => self.place_named(&Entry { uid, gid, mode, ..entry.clone() }, reader),
        };
        placed.map_err(|refusal| refusal.of(entry))
    }

    /// The clean path below the root.
    pub(super) fn path(&self, name: &[u8]) -> std::result::Result<Vec<u8>, Escape> {
        let path = clean(name)?;
        Ok(match (self.policy.base.is_empty(), path.is_empty()) {
            (true, _) => path,
            (false, true) => self.policy.base.clone(),
            (false, false) => [self.policy.base.as_slice(), b"/", &path].concat(),
        })
    }

    /// Sets what had to wait until everything is in place.
    pub fn finish(self) -> Step<Summary> {
        let Placer { root, folders, closed, mut summary, .. } = self;
        (summary.max_uid, summary.max_gid) = summary.ids.highest();
        folders.apply(&root).map_err(|error| Failure::because(STEP, "cannot set the times of folders").errno(error))?;
        // Those below first: they could not be reached any more.
        for (path, mode) in closed.iter().rev() {
            match root.open_at(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW) {
                Ok(folder) => set_mode(&folder, *mode),
                // A later entry put something else there.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
                Err(errno) => Err(errno),
            }
            .map_err(|errno| {
                Failure::because(STEP, "cannot set the mode").on(String::from_utf8_lossy(path)).errno(errno)
            })?;
        }
        Ok(summary)
    }

    fn place_named(&mut self, entry: &Entry, reader: &mut Reader<impl BufRead>) -> Placed<()> {
        let path = self.path(&entry.path)?;
        if self.policy.copy && path == self.policy.base && !(self.policy.root && entry.kind == Kind::Folder) {
            return match entry.kind {
                Kind::Folder => Ok(()),
                _ => Err(Refusal::Words("cannot overwrite a folder with something else")),
            };
        }
        if path.len() > PATH_LIMIT {
            return Err(Errno::NAMETOOLONG.into());
        }
        if !self.policy.copy && FOR_LAZY_READERS.contains(&path.as_slice()) && entry.kind == Kind::File {
            return Ok(());
        }
        let (above, name) = split(&path);
        if name.is_empty() {
            return self.root_folder(entry);
        }
        let parent = self.root.folder(above)?;
        if let (Some(hidden), false) = (name.strip_prefix(b".wh."), self.policy.copy) {
            return self.whiteout(&parent, hidden);
        }
        match entry.kind {
            Kind::Folder => self.folder(&parent, name, &path, entry),
            Kind::File => self.file(&parent, name, entry, reader),
            Kind::CharDevice | Kind::BlockDevice => self.device(&parent, name, entry),
            Kind::Hardlink => self.hardlink(&parent, name, entry),
            Kind::Symlink => self.symlink(&parent, name, entry),
            Kind::Fifo => self.fifo(&parent, name, entry),
        }
    }

    /// Makes something; if the name is taken, the last entry wins.
    pub(super) fn replacing<T>(&mut self, parent: &Folder, name: &[u8], make: impl Fn() -> Result<T>) -> Placed<T> {
        match make() {
            Err(Errno::EXIST) => {
                if self.policy.copy && is_folder(parent, name)? {
                    return Err(Refusal::Words("cannot overwrite a folder with something else"));
                }
                self.clear(parent, name)?;
                Ok(make()?)
            }
            result => result.map_err(Refusal::Kernel),
        }
    }

    /// Takes away what stands at a name, whatever it is.
    pub(super) fn clear(&mut self, parent: &Folder, name: &[u8]) -> Result<()> {
        self.root.forget();
        match unlinkat(parent, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => remove_at(parent.as_fd(), &CString::new(name).map_err(|_| Errno::INVAL)?),
            result => result,
        }
    }
}

fn is_folder(parent: &Folder, name: &[u8]) -> Result<bool> {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// The folder of a clean path, and its last name.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}
