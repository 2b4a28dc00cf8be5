//! The names of a layer, and how they stand to each other: escapes, ways through symbolic links, duplicates, whiteouts.

use super::Level;
use rootless_core::tar::{clean, Entry, Kind};
use std::collections::hash_map::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// Names remembered; of a layer with more, the rest is checked by itself only.
const REMEMBERED: usize = 1 << 20;
const PATH_LIMIT: usize = 4095;
const NAME_LIMIT: usize = 255;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    Folder,
    Symlink,
    /// A symbolic link that by its text leads out of the layer.
    Climbing,
    Other,
}

/// Names are kept as keyed hashes: sixteen bytes each, and no layer can aim for collisions.
#[derive(Default)]
pub struct Names {
    seen: HashMap<u64, Met>,
    hasher: RandomState,
}

impl Names {
    /// Reports what is wrong with the entry's names, and remembers it.
    pub fn meet(&mut self, entry: &Entry, add: &mut dyn FnMut(Level, &'static str)) {
        let Ok(path) = clean(&entry.path) else { return add(Level::Error, "escape") };
        if entry.path.starts_with(b"/") {
            add(Level::Warning, "absolute");
        }
        if entry.path.split(|byte| *byte == b'/').any(|name| name == b"..") {
            add(Level::Warning, "dot-dot");
        }
        if path.len() > PATH_LIMIT || path.split(|byte| *byte == b'/').any(|name| name.len() > NAME_LIMIT) {
            return add(Level::Error, "name-too-long");
        }
        if path.is_empty() {
            if entry.kind != Kind::Folder {
                add(Level::Error, "root-not-folder");
            }
            return;
        }
        self.above(&path, add);
        let slash = path.iter().rposition(|byte| *byte == b'/');
        let (above, name) = slash.map_or((&b""[..], &path[..]), |at| (&path[..at], &path[at + 1..]));
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            return whiteout(hidden, entry, add);
        }
        if entry.kind == Kind::Hardlink {
            self.hardlink(entry, add);
        }
        let met = match entry.kind {
            Kind::Folder => Met::Folder,
            Kind::Symlink if climbs(above, &entry.link) => Met::Climbing,
            Kind::Symlink => Met::Symlink,
            _ => Met::Other,
        };
        if met == Met::Climbing {
            add(Level::Warning, "link-escape");
        }
        match self.remember(&path, met) {
            Some(Met::Folder) if met == Met::Folder => add(Level::Info, "duplicate"),
            Some(_) => add(Level::Warning, "duplicate"),
            None => {}
        }
    }

    /// What stands on the way to the entry.
    fn above(&mut self, path: &[u8], add: &mut dyn FnMut(Level, &'static str)) {
        for end in path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at) {
            match self.get(&path[..end]) {
                Some(Met::Climbing) => return add(Level::Error, "through-symlink"),
                Some(Met::Symlink) => return add(Level::Warning, "through-symlink"),
                Some(Met::Other) => return add(Level::Error, "not-a-folder"),
                Some(Met::Folder) | None => {}
            }
        }
    }

    fn hardlink(&mut self, entry: &Entry, add: &mut dyn FnMut(Level, &'static str)) {
        let Ok(target) = clean(&entry.link) else { return add(Level::Error, "hardlink-escape") };
        match self.get(&target) {
            Some(Met::Folder) => add(Level::Error, "hardlink-to-folder"),
            Some(_) => {}
            // A way through a symbolic link may still lead to it.
            None if self.seen.len() < REMEMBERED => {
                self.above(&target, add);
                add(Level::Warning, "hardlink-missing");
            }
            None => {}
        }
    }

    fn get(&self, path: &[u8]) -> Option<Met> {
        self.seen.get(&self.hasher.hash_one(path)).copied()
    }

    fn remember(&mut self, path: &[u8], met: Met) -> Option<Met> {
        let key = self.hasher.hash_one(path);
        match self.seen.len() < REMEMBERED || self.seen.contains_key(&key) {
            true => self.seen.insert(key, met),
            false => None,
        }
    }
}

fn whiteout(hidden: &[u8], entry: &Entry, add: &mut dyn FnMut(Level, &'static str)) {
    match hidden {
        b".wh..opq" => {}
        _ if hidden.starts_with(b".wh.") => add(Level::Info, "aufs-metadata"),
        b"" | b"." | b".." => add(Level::Error, "bad-whiteout"),
        _ if entry.kind != Kind::File || entry.size != 0 => add(Level::Warning, "odd-whiteout"),
        _ => {}
    }
}

/// Whether a link in the folder `above` names something outside, by text alone.
fn climbs(above: &[u8], link: &[u8]) -> bool {
    match link.starts_with(b"/") {
        true => clean(link).is_err(),
        false => clean(&[above, b"/", link].concat()).is_err(),
    }
}
