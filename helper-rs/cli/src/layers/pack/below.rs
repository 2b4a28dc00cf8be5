//! What lies below a folder: the same folder of the layers under it, merged, looked up by name.

use super::{open_below, Layers};
use crate::layers::whiteout::{is_opaque, is_whiteout};
use rustix::fs::{openat, statat, AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// One folder in all layers that have it, top first.
pub struct Below {
    folders: Vec<(usize, OwnedFd)>,
}

/// What a name is below.
pub struct Under {
    pub stat: Stat,
    /// Index into `folders`: where it stands.
    at: usize,
    /// If it is a folder: the layers that it is merged of.
    pub layers: Vec<usize>,
}

impl Under {
    pub fn is_folder(&self) -> bool {
        FileType::from_raw_mode(self.stat.st_mode) == FileType::Directory
    }
}

impl Below {
    pub fn open(lowers: &Layers, layers: &[usize], path: &[u8]) -> Result<Below> {
        let folder = |layer: &usize| Ok((*layer, open_below(&lowers[*layer], path)?));
        Ok(Below { folders: layers.iter().map(folder).collect::<Result<_>>()? })
    }

    /// As an overlay of the layers would show it; `None` if it is not there, or hidden by a whiteout.
    pub fn find(&self, name: &CStr) -> Result<Option<Under>> {
        let mut found: Option<Under> = None;
        for (at, (layer, folder)) in self.folders.iter().enumerate() {
            let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                result => result?,
            };
            let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_whiteout(&stat) || (found.is_some() && !directory) {
                break;
            }
            let under = found.get_or_insert(Under { stat, at, layers: Vec::new() });
            if !directory {
                break;
            }
            under.layers.push(*layer);
            if is_opaque(&openat(folder, name, FOLDER, Mode::empty())?)? {
                break;
            }
        }
        Ok(found)
    }

    /// All names that an overlay of the layers would show, in order.
    pub fn names(&self) -> Result<BTreeSet<CString>> {
        let mut names: BTreeMap<CString, bool> = BTreeMap::new();
        for (_, folder) in &self.folders {
            for entry in Dir::read_from(folder)? {
                let entry = entry?;
                let name = entry.file_name();
                if matches!(name.to_bytes(), b"." | b"..") || names.contains_key(name) {
                    continue;
                }
                let there = match entry.file_type() {
                    FileType::CharacterDevice | FileType::Unknown => {
                        !is_whiteout(&statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
                    }
                    _ => true,
                };
                names.insert(name.to_owned(), there);
            }
        }
        Ok(names.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect())
    }

    /// The folder that `under` was found in.
    pub fn folder_of(&self, under: &Under) -> Option<&OwnedFd> {
        self.folders.get(under.at).map(|(_, folder)| folder)
    }
}
