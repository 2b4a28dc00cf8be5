//! From something on disk to an entry of an archive: owner and mode as the container sees them, attributes, the way to its body.

use super::walk::At;
use super::{is_bookkeeping, open_child};
use crate::layers::xattrs;
use crate::override_stat;
use crate::userns::{to_container, IdMap};
use rootless_core::tar::{Entry, Kind, Segment, Time};
use rustix::fs::{fstat, readlinkat, seek, FileType, OFlags, SeekFrom, Stat};
use rustix::io::{Errno, Result};
use std::collections::HashMap;
use std::os::fd::OwnedFd;

/// How entries are described.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// Owners stand in `user.containers.override_stat`.
    pub single_id: bool,
    /// No time is later than this (SOURCE_DATE_EPOCH), in seconds.
    pub latest: Option<i64>,
    /// Holes of files are left out.
    pub sparse: bool,
    /// Mounts are empty.
    pub one_filesystem: bool,
    /// Owners are this machine's, and told as a container of this map has them; who has none there is its root.
    pub ids: Option<IdMap>,
}

pub struct Described {
    pub entry: Entry,
    /// Where the body is read from.
    pub file: Option<OwnedFd>,
}

/// Remembers files with several names: the first one is the file, the others are links to it.
#[derive(Default)]
pub struct Describer {
    pub style: Style,
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl Describer {
    pub fn new(style: Style) -> Describer {
        Describer { style, links: HashMap::new() }
    }

    /// The entry for `at` under the name `path`. Sockets have no place in an archive; what went away meanwhile neither.
    pub fn describe(&mut self, at: &At<'_>, path: Vec<u8>) -> Result<Option<Described>> {
        let kind = FileType::from_raw_mode(at.stat.st_mode);
        let flags = match kind {
            FileType::RegularFile => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
            FileType::Directory => OFlags::RDONLY | OFlags::DIRECTORY,
            FileType::Socket => return Ok(None),
            _ => return self.without_opening(at, path).map(Some),
        };
        let fd = match open_child(at.folder, at.name, flags, self.style.one_filesystem) {
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NOTDIR) => return Ok(None),
            Err(Errno::XDEV) => return Ok(Some(mount_point(kind, path))),
            result => result?,
        };
        let stat = fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != kind {
            return Ok(None);
        }
        if kind == FileType::RegularFile && stat.st_nlink > 1 {
            if let Some(entry) = self.link(&stat, &path) {
                return Ok(Some(Described { entry, file: None }));
            }
        }
        let mut entry = self.entry(&stat, path);
        entry.xattrs = xattrs::read(&fd, |name| !is_bookkeeping(name) || name == override_stat::NAME.as_bytes())?;
        self.believe_override(&mut entry);
        if entry.kind == Kind::Folder {
            entry.path.push(b'/');
            return Ok(Some(Described { entry, file: None }));
        }
        if self.style.sparse && (stat.st_blocks as u64).saturating_mul(512) < entry.size {
            entry.sparse = Some(segments(&fd, entry.size)?);
        }
        let file = (entry.kind == Kind::File).then_some(fd);
        Ok(Some(Described { entry, file }))
    }

    fn without_opening(&mut self, at: &At<'_>, path: Vec<u8>) -> Result<Described> {
        if at.stat.st_nlink > 1 {
            if let Some(entry) = self.link(at.stat, &path) {
                return Ok(Described { entry, file: None });
            }
        }
        let mut entry = self.entry(at.stat, path);
        if entry.kind == Kind::Symlink {
            entry.link = readlinkat(at.folder, at.name, Vec::new())?.into_bytes();
        }
        Ok(Described { entry, file: None })
    }

    /// An entry that links to the name that the file had first; `None` for that first name itself.
    fn link(&mut self, stat: &Stat, path: &[u8]) -> Option<Entry> {
        match self.links.get(&(stat.st_dev, stat.st_ino)).cloned() {
            Some(first) => {
                let entry = self.entry(stat, path.to_vec());
                Some(Entry { kind: Kind::Hardlink, link: first, size: 0, ..entry })
            }
            None => {
                self.links.insert((stat.st_dev, stat.st_ino), path.to_vec());
                None
            }
        }
    }

    #[allow(clippy::unnecessary_cast)] // The types of the fields differ between architectures.
    fn entry(&self, stat: &Stat, path: Vec<u8>) -> Entry {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            FileType::CharacterDevice => Kind::CharDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            _ => Kind::File,
        };
        let mtime = Time { seconds: stat.st_mtime as i64, nanoseconds: stat.st_mtime_nsec as u32 };
        let device = matches!(kind, Kind::CharDevice | Kind::BlockDevice);
        let (uid, gid) = match &self.style.ids {
            None => (stat.st_uid, stat.st_gid),
            Some(map) => {
                (to_container(&map.uid, stat.st_uid).unwrap_or(0), to_container(&map.gid, stat.st_gid).unwrap_or(0))
            }
        };
        Entry {
            offset: 0,
            path,
            link: Vec::new(),
            kind,
            mode: if kind == Kind::Symlink { 0o777 } else { stat.st_mode & 0o7777 },
            uid,
            gid,
            size: if kind == Kind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
            mtime: match self.style.latest {
                Some(latest) if mtime.seconds >= latest => Time { seconds: latest, nanoseconds: 0 },
                _ => mtime,
            },
            major: if device { rustix::fs::major(stat.st_rdev) } else { 0 },
            minor: if device { rustix::fs::minor(stat.st_rdev) } else { 0 },
            xattrs: Vec::new(),
            sparse: None,
        }
    }

    /// What one mapped id could not make is what the attribute says it is. The mode is the inode's: chmod works with one id.
    fn believe_override(&self, entry: &mut Entry) {
        let at = entry.xattrs.iter().position(|(name, _)| name == override_stat::NAME.as_bytes());
        let Some((_, value)) = at.map(|at| entry.xattrs.remove(at)) else { return };
        let Some(owner) = override_stat::Recorded::parse(&value).filter(|_| self.style.single_id) else { return };
        (entry.uid, entry.gid) = (owner.uid, owner.gid);
        if let (Some((kind, major, minor)), 0) = (owner.device, entry.size) {
            entry.kind = if kind == 'c' { Kind::CharDevice } else { Kind::BlockDevice };
            (entry.major, entry.minor) = (major, minor);
        }
    }
}

/// What a mount covers is not to be seen: a plain empty folder or file stands for it.
fn mount_point(kind: FileType, mut path: Vec<u8>) -> Described {
    let folder = kind == FileType::Directory;
    if folder {
        path.push(b'/');
    }
    let entry = match folder {
        true => Entry::bare(path, Kind::Folder, 0o755),
        false => Entry::bare(path, Kind::File, 0o644),
    };
    Described { entry, file: None }
}

/// Where a file has data (lseek(2), SEEK_DATA). Too many parts: the file is told whole.
fn segments(fd: &OwnedFd, size: u64) -> Result<Vec<Segment>> {
    const MOST: usize = 10_000;
    let mut map = Vec::new();
    let mut at = 0;
    while at < size && map.len() < MOST {
        let offset = match seek(fd, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => break,
            result => result?,
        };
        let end = seek(fd, SeekFrom::Hole(offset))?.min(size);
        if offset >= end {
            break;
        }
        map.push(Segment { offset, length: end - offset });
        at = end;
    }
    if map.len() >= MOST {
        map = vec![Segment { offset: 0, length: size }];
    }
    Ok(map)
}
