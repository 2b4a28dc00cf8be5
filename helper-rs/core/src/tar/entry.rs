//! One member of an archive, with every extension header already applied.

use super::sparse::Segment;

/// What an entry is. Contiguous files are files; GNU dump folders are folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Hardlink,
    Symlink,
    CharDevice,
    BlockDevice,
    Folder,
    Fifo,
}

impl Kind {
    /// The name used in `layer ls`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Hardlink => "hardlink",
            Kind::Symlink => "symlink",
            Kind::CharDevice => "char",
            Kind::BlockDevice => "block",
            Kind::Folder => "folder",
            Kind::Fifo => "fifo",
        }
    }
}

/// Seconds since the epoch, and nanoseconds that always count forward (-0.25 s is -1 s + 750,000,000 ns).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// Names are bytes as they stand in the archive: not cleaned, not checked, without NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where its first header block (an extension header counts) starts in the archive.
    pub offset: u64,
    pub path: Vec<u8>,
    /// Target of a symbolic or hard link, else empty.
    pub link: Vec<u8>,
    pub kind: Kind,
    /// The twelve permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes of the file once unpacked (holes included); 0 for all but files.
    pub size: u64,
    pub mtime: Time,
    pub major: u32,
    pub minor: u32,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The parts that have data, in order, if the file is sparse.
    pub sparse: Option<Vec<Segment>>,
}

impl Entry {
    /// Root's, from the beginning of time, with nothing in it.
    pub fn bare(path: Vec<u8>, kind: Kind, mode: u32) -> Entry {
        Entry {
            offset: 0,
            path,
            link: Vec::new(),
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: 0,
            mtime: Time::default(),
            major: 0,
            minor: 0,
            xattrs: Vec::new(),
            sparse: None,
        }
    }
}
