//! Walks a tree in the order of names and tells a visitor what is new, changed and gone against the layers below it. Every
//! folder is reached by openat2 from the top and without symbolic links: what is swapped meanwhile leads nowhere else.

use super::below::{Below, Under};
use super::compare::{self, Difference};
use super::{failure, join, open_with, Layers, Means, Scope};
use crate::failure::Step;
use crate::layers::whiteout::{is_opaque, is_whiteout};
use rustix::fs::{fgetxattr, statat, AtFlags, Dir, FileType, Stat};
use rustix::io::{Errno, Result};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Against what is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Added,
    Changed,
}

/// Something in an open folder.
pub struct At<'a> {
    pub folder: BorrowedFd<'a>,
    pub name: &'a CStr,
    /// From the top, without a leading slash.
    pub path: &'a [u8],
    pub stat: &'a Stat,
}

pub trait Visitor {
    /// What has to be known of an entry while its folder is open.
    type Item;
    /// `None`: nothing that the visitor has a use for, or gone by now.
    fn describe(&mut self, at: &At<'_>) -> Result<Option<Self::Item>>;
    fn emit(&mut self, item: Self::Item, change: Change) -> Step<()>;
    /// What is below is not here any more.
    fn gone(&mut self, path: &[u8]) -> Step<()>;
    /// A folder covers all of the folder below it; `hidden` are the names that it does not have itself. `outermost`: no folder
    /// above does the same.
    fn covers(&mut self, path: &[u8], hidden: &[CString], outermost: bool) -> Step<()>;
}

/// A folder on the way down.
struct Frame<I> {
    path: Vec<u8>,
    /// Still to be visited, the next one last.
    names: Vec<CString>,
    layers: Vec<usize>,
    /// Not merged with what is below: everything in it counts.
    whole: bool,
    /// The folder itself, until it is known whether it is worth a word.
    pending: Option<(I, Change)>,
    /// Only its time differs from the one below.
    stale: bool,
    /// A mount point in it was passed over: that changed its time.
    touched: bool,
}

pub struct Walk<'a, V: Visitor> {
    pub top: &'a OwnedFd,
    pub lowers: &'a Layers,
    pub scope: &'a Scope,
    pub visitor: &'a mut V,
}

impl<V: Visitor> Walk<'_, V> {
    /// Everything below the top; the top itself is the caller's affair.
    pub fn run(mut self) -> Step<()> {
        let all: Vec<usize> = (0..self.lowers.len()).collect();
        let whole = self.scope.means == Means::All;
        let mut stack = vec![self.enter(Vec::new(), all, whole, true)?];
        let mut open: Option<(OwnedFd, Below)> = None;
        while let Some(frame) = stack.last_mut() {
            let Some(name) = frame.names.pop() else {
                let Some(Frame { pending, stale, touched, .. }) = stack.pop() else { break };
                if let (Some((item, change)), true) = (pending, stale && !touched) {
                    self.flush(&mut stack)?;
                    self.visitor.emit(item, change)?;
                }
                open = None;
                continue;
            };
            let path = join(&frame.path, &name);
            if open.is_none() {
                open = match self.open(&frame.path, &frame.layers) {
                    // Taken away while we were in it.
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                        frame.names.clear();
                        continue;
                    }
                    result => Some(result.map_err(|errno| failure(&frame.path, errno))?),
                };
            }
            let Some((folder, below)) = open.as_ref() else { continue };
            let met = self.meet(&mut stack, folder, below, &name, &path);
            if let Some(deeper) = met? {
                stack.push(deeper);
                open = None;
            }
        }
        Ok(())
    }

    fn open(&self, path: &[u8], layers: &[usize]) -> Result<(OwnedFd, Below)> {
        Ok((open_with(self.top, path, self.scope.resolve)?, Below::open(self.lowers, layers, path)?))
    }

    /// Lists a folder; what the layers below have and it has not is told at once.
    fn enter(&mut self, path: Vec<u8>, layers: Vec<usize>, whole: bool, first: bool) -> Step<Frame<V::Item>> {
        let fail = |errno: Errno| failure(&path, errno);
        let (folder, below) = match self.open(&path, &layers) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) if !first => {
                return Ok(Frame { path, names: vec![], layers, whole, pending: None, stale: false, touched: false });
            }
            result => result.map_err(fail)?,
        };
        let names = list(&folder).map_err(fail)?;
        if self.scope.means == Means::Compare && !whole {
            for name in below.names().map_err(fail)?.difference(&names) {
                self.visitor.gone(&join(&path, name))?;
            }
        }
        let names = names.into_iter().rev().collect();
        Ok(Frame { path, names, layers, whole, pending: None, stale: false, touched: false })
    }

    /// One name. A folder that has to be walked is answered as a frame.
    fn meet(
        &mut self,
        stack: &mut [Frame<V::Item>],
        folder: &OwnedFd,
        below: &Below,
        name: &CStr,
        path: &[u8],
    ) -> Step<Option<Frame<V::Item>>> {
        let fail = |errno: Errno| failure(path, errno);
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            result => result.map_err(fail)?,
        };
        if self.scope.means == Means::Upper {
            let hidden = match name.to_bytes().strip_prefix(b".wh.") {
                _ if is_whiteout(&stat) => Some(name.to_bytes()),
                hidden => hidden,
            };
            if let Some(hidden) = hidden {
                return self.whiteout(stack, below, hidden).map(|()| None);
            }
        }
        let at = At { folder: folder.as_fd(), name, path, stat: &stat };
        let under = below.find(name).map_err(fail)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.folder(stack, &at, below, under),
            _ => self.other(stack, &at, below, under).map(|()| None),
        }
    }

    fn whiteout(&mut self, stack: &mut [Frame<V::Item>], below: &Below, hidden: &[u8]) -> Step<()> {
        let Ok(hidden) = CString::new(hidden) else { return Ok(()) };
        let Some(above) = stack.last().map(|frame| frame.path.clone()) else { return Ok(()) };
        let path = join(&above, &hidden);
        // It may hide what an earlier commit never had, or be fuse-overlayfs's mark of an opaque folder.
        if below.find(&hidden).map_err(|errno| failure(&path, errno))?.is_some() {
            self.flush(stack)?;
            self.visitor.gone(&path)?;
        }
        Ok(())
    }

    fn other(&mut self, stack: &mut [Frame<V::Item>], at: &At<'_>, below: &Below, under: Option<Under>) -> Step<()> {
        let fail = |errno: Errno| failure(at.path, errno);
        if under.is_none() && at.stat.st_size == 0 && self.scope.mount_points.contains(at.path) {
            if let Some(frame) = stack.last_mut() {
                frame.touched = true;
            }
            return Ok(());
        }
        let whole = stack.last().is_none_or(|frame| frame.whole);
        if let (Means::Compare, false, Some(under)) = (self.scope.means, whole, &under) {
            if compare::differ(at, below, under).map_err(fail)? == Difference::None {
                return Ok(());
            }
        }
        let Some(item) = self.visitor.describe(at).map_err(fail)? else { return Ok(()) };
        self.flush(stack)?;
        self.visitor.emit(item, if under.is_some() { Change::Changed } else { Change::Added })
    }

    fn folder(
        &mut self,
        stack: &mut [Frame<V::Item>],
        at: &At<'_>,
        below: &Below,
        under: Option<Under>,
    ) -> Step<Option<Frame<V::Item>>> {
        let fail = |errno: Errno| failure(at.path, errno);
        let parent_whole = stack.last().is_none_or(|frame| frame.whole);
        let merged = under.as_ref().filter(|under| under.is_folder());
        let opaque = self.scope.means == Means::Upper && merged.is_some() && self.covers_below(at).map_err(fail)?;
        let whole = parent_whole || opaque || merged.is_none();
        let difference = match merged {
            Some(under) => compare::differ(at, below, under).map_err(fail)?,
            None => Difference::More,
        };
        let change = if under.is_some() { Change::Changed } else { Change::Added };
        let Some(item) = self.visitor.describe(at).map_err(fail)? else { return Ok(None) };
        // A mount point, or a folder made on the way to one, is not the container's doing.
        let made_for_mount = under.is_none() && self.scope.leads_to_mount(at.path);
        if made_for_mount {
            if let Some(frame) = stack.last_mut() {
                frame.touched = true;
            }
        }
        let wanted = !made_for_mount && (whole || difference == Difference::More);
        let pending = match wanted {
            true => {
                self.flush(stack)?;
                self.visitor.emit(item, change)?;
                None
            }
            false => Some((item, change)),
        };
        let layers = merged.map_or_else(Vec::new, |under| under.layers.clone());
        if self.scope.stays_out(at).map_err(fail)? {
            return Ok(None);
        }
        let frame = self.enter(at.path.to_vec(), layers, whole, false)?;
        let mut frame = Frame { pending, stale: difference == Difference::Time, ..frame };
        if self.scope.means == Means::Upper && whole && merged.is_some() {
            self.cover(stack, &mut frame, !parent_whole)?;
        }
        Ok(Some(frame))
    }

    /// Tells what an opaque folder hides.
    fn cover(&mut self, stack: &mut [Frame<V::Item>], frame: &mut Frame<V::Item>, outermost: bool) -> Step<()> {
        let below =
            Below::open(self.lowers, &frame.layers, &frame.path).map_err(|errno| failure(&frame.path, errno))?;
        let names = below.names().map_err(|errno| failure(&frame.path, errno))?;
        if names.is_empty() {
            return Ok(());
        }
        let own: BTreeSet<&CString> = frame.names.iter().collect();
        let hidden: Vec<CString> = names.iter().filter(|name| !own.contains(name)).cloned().collect();
        self.flush(stack)?;
        self.visitor.covers(&frame.path, &hidden, outermost)
    }

    /// Opaque for the kernel's overlay, or for fuse-overlayfs.
    fn covers_below(&self, at: &At<'_>) -> Result<bool> {
        let folder = open_with(at.folder, at.name.to_bytes(), self.scope.resolve)?;
        let mut value = [0; 2];
        let fuse = fgetxattr(&folder, "user.fuseoverlayfs.opaque", &mut value)
            .is_ok_and(|length| value[..length] == *b"y")
            || statat(&folder, ".wh..wh..opq", AtFlags::SYMLINK_NOFOLLOW).is_ok();
        Ok(fuse || is_opaque(&folder)?)
    }

    /// Folders that waited for something in them come before it.
    fn flush(&mut self, stack: &mut [Frame<V::Item>]) -> Step<()> {
        for frame in stack {
            if let Some((item, change)) = frame.pending.take() {
                self.visitor.emit(item, change)?;
            }
        }
        Ok(())
    }
}

fn list(folder: &OwnedFd) -> Result<BTreeSet<CString>> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.insert(entry.file_name().to_owned());
        }
    }
    Ok(names)
}
