//! Merges layers into one folder, for where no overlay can be mounted: top first, whiteouts and opaque folders applied.

mod attributes;
mod content;
mod locate;

use crate::failure::{During, Failure, Step};
use crate::layers::whiteout::{is_opaque, is_whiteout};
use attributes::Attributes;
use content::Means;
#[cfg(feature = "layers")]
pub use locate::locate;
use rustix::fs::{linkat, mkdirat, mknodat, open, openat, openat2, readlinkat, statat, symlinkat};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, Result};
use rustix::process::umask;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const STEP: &str = "copy";
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Copies the merged view of `lower`, top first, into the empty folder `to`.
pub fn flatten(lower: &[PathBuf], to: &Path) -> Step<()> {
    let folder = |path: &Path| open(path, FOLDER & !OFlags::NOFOLLOW, Mode::empty()).during(STEP, path.display());
    let layers = lower.iter().map(|path| folder(path)).collect::<Step<Vec<_>>>()?;
    flatten_open(layers, folder(to)?)
}

/// The same with folders that are open already.
pub fn flatten_open(layers: Vec<OwnedFd>, to: OwnedFd) -> Step<()> {
    let before = umask(Mode::empty());
    let result = Merge { layers, to, means: Means::Clone, links: HashMap::new() }.run();
    umask(before);
    result
}

struct Merge {
    layers: Vec<OwnedFd>,
    to: OwnedFd,
    means: Means,
    /// Where a file with several names was copied to: (layer, device, inode) → path.
    links: HashMap<(usize, u64, u64), Vec<u8>>,
}

/// Folders are done by a list, not by recursion: their depth is the layer's choice.
enum Task {
    /// Fill the folder from these layers, top first.
    Fill(Vec<u8>, Vec<usize>),
    /// All is in it: its times.
    Close(Vec<u8>, Stat),
}

/// A name that an upper layer had already.
enum Seen {
    Settled,
    /// A folder of these layers; `open` while layers below still add to it.
    Folder {
        layers: Vec<usize>,
        open: bool,
    },
}

impl Merge {
    fn run(mut self) -> Step<()> {
        let all = (0..self.layers.len()).collect();
        let mut tasks = Vec::new();
        if let Some(top) = self.layers.first() {
            let root = open_below(top, b"").and_then(|top| Attributes::of(&top)).during(STEP, "/")?;
            let to = open_below(&self.to, b"").during(STEP, "/")?;
            root.give(&to).during(STEP, "/")?;
            tasks.push(Task::Close(Vec::new(), root.stat));
        }
        tasks.push(Task::Fill(Vec::new(), all));
        while let Some(task) = tasks.pop() {
            match task {
                Task::Fill(path, layers) => self.fill(&path, layers, &mut tasks)?,
                Task::Close(path, stat) => {
                    let done = open_below(&self.to, &path).and_then(|fd| attributes::give_times(&fd, &stat));
                    done.map_err(|errno| failure(&path, errno))?;
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, path: &[u8], layers: Vec<usize>, tasks: &mut Vec<Task>) -> Step<()> {
        let to = open_below(&self.to, path).map_err(|errno| failure(path, errno))?;
        let mut seen: BTreeMap<CString, Seen> = BTreeMap::new();
        for layer in layers {
            let from = open_below(&self.layers[layer], path).map_err(|errno| failure(path, errno))?;
            for entry in Dir::read_from(&from).map_err(|errno| failure(path, errno))? {
                let entry = entry.map_err(|errno| failure(path, errno))?;
                let name = entry.file_name();
                if !matches!(name.to_bytes(), b"." | b"..") {
                    let met = self.meet(layer, &from, &to, path, name, &mut seen);
                    met.map_err(|errno| failure(&join(path, name), errno))?;
                }
            }
        }
        for (name, what) in seen {
            if let Seen::Folder { layers, .. } = what {
                let child = join(path, &name);
                let stat = self.make_folder(&layers, &to, &name, &child).map_err(|errno| failure(&child, errno))?;
                tasks.push(Task::Close(child.clone(), stat));
                tasks.push(Task::Fill(child, layers));
            }
        }
        Ok(())
    }

    /// One name of one layer: what it means depends on what the layers above said about it.
    fn meet(
        &mut self,
        layer: usize,
        from: &OwnedFd,
        to: &OwnedFd,
        path: &[u8],
        name: &CStr,
        seen: &mut BTreeMap<CString, Seen>,
    ) -> Result<()> {
        let before = seen.get_mut(name);
        if matches!(before, Some(Seen::Settled | Seen::Folder { open: false, .. })) {
            return Ok(());
        }
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let opaque = folder && is_opaque(&openat(from, name, FOLDER, Mode::empty())?)?;
        match before {
            Some(Seen::Folder { layers, open }) => {
                if folder {
                    layers.push(layer);
                }
                *open = folder && !opaque;
            }
            _ if folder => {
                seen.insert(name.to_owned(), Seen::Folder { layers: vec![layer], open: !opaque });
            }
            _ => {
                seen.insert(name.to_owned(), Seen::Settled);
                if !is_whiteout(&stat) {
                    self.copy(layer, from, to, path, name, &stat)?;
                }
            }
        }
        Ok(())
    }

    /// A folder looks as its topmost layer has it.
    fn make_folder(&self, layers: &[usize], to: &OwnedFd, name: &CStr, path: &[u8]) -> Result<Stat> {
        let top = layers.first().and_then(|top| self.layers.get(*top)).ok_or(Errno::NOENT)?;
        let attributes = Attributes::of(&open_below(top, path)?)?;
        mkdirat(to, name, Mode::RWXU)?;
        attributes.give(&openat(to, name, FOLDER, Mode::empty())?)?;
        Ok(attributes.stat)
    }

    fn copy(
        &mut self,
        layer: usize,
        from: &OwnedFd,
        to: &OwnedFd,
        path: &[u8],
        name: &CStr,
        stat: &Stat,
    ) -> Result<()> {
        if stat.st_nlink > 1 {
            let key = (layer, stat.st_dev, stat.st_ino);
            if let Some(first) = self.links.get(&key) {
                let slash = first.iter().rposition(|byte| *byte == b'/');
                let (above, first) = slash.map_or((&b""[..], &first[..]), |at| (&first[..at], &first[at + 1..]));
                return linkat(open_below(&self.to, above)?, first, to, name, AtFlags::empty());
            }
            self.links.insert(key, join(path, name));
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.copy_file(from, to, name),
            FileType::Symlink => {
                symlinkat(&readlinkat(from, name, Vec::new())?, to, name)?;
                attributes::give_by_name(to, name, stat)
            }
            kind @ (FileType::Fifo | FileType::Socket) => {
                mknodat(to, name, kind, Mode::from_raw_mode(stat.st_mode & 0o7777), 0)?;
                attributes::give_by_name(to, name, stat)
            }
            // As in unpack: nobody in a user namespace makes device nodes.
            _ => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                openat(to, name, flags, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
                attributes::give_by_name(to, name, stat)
            }
        }
    }

    fn copy_file(&mut self, from: &OwnedFd, to: &OwnedFd, name: &CStr) -> Result<()> {
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = openat(from, name, read, Mode::empty())?;
        let attributes = Attributes::of(&source)?;
        let copy = openat(to, name, write, Mode::RUSR | Mode::WUSR)?;
        self.means.copy(&source, &copy, &attributes.stat)?;
        attributes.give(&copy)?;
        attributes::give_times(&copy, &attributes.stat)
    }
}

/// Opens a folder of a layer or of the copy. Neither has a symbolic link on the way: the names come from listing folders.
pub fn open_below(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    loop {
        match openat2(root, path, FOLDER, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

pub fn join(path: &[u8], name: &CStr) -> Vec<u8> {
    match path.is_empty() {
        true => name.to_bytes().to_vec(),
        false => [path, b"/", name.to_bytes()].concat(),
    }
}

fn failure(path: &[u8], errno: Errno) -> Failure {
    Failure::new(STEP).on(String::from_utf8_lossy(path)).errno(errno)
}
