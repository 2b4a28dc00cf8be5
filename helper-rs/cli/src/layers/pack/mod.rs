//! From a tree to a tar: a container's changes as an OCI layer, or all that is in a folder.

mod below;
mod blob;
mod compare;
mod describe;
mod gzip;
mod lines;
mod tarball;
mod walk;

pub use blob::{Blob, Compression};
pub use describe::Style;
pub use lines::Lines;
pub use tarball::{add_top, Tarball};
pub use walk::{At, Walk};

use crate::failure::Failure;
pub use crate::layers::flatten::{join, open_below};
use crate::override_stat;
use rustix::fs::{fstat, fstatfs, openat2, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

pub const STEP: &str = "pack";

/// Layers below a tree, top first.
pub type Layers = Vec<OwnedFd>;

/// How what has changed is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// The tree is the upper folder of an overlay: it holds what changed.
    Upper,
    /// The tree is a whole copy, compared with the layers.
    Compare,
    /// Nothing is below: everything counts.
    All,
}

pub struct Scope {
    pub means: Means,
    /// Paths on which something is mounted: what stands there, if it is new and empty, the runtime made.
    pub mount_points: BTreeSet<Vec<u8>>,
    pub resolve: ResolveFlags,
}

impl Scope {
    pub fn new(means: Means, mount_points: BTreeSet<Vec<u8>>) -> Scope {
        Scope { means, mount_points, resolve: ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS }
    }

    /// Everything below a folder of a running container. `one_filesystem`: without what is mounted there.
    pub fn all(one_filesystem: bool) -> Scope {
        let mut scope = Scope::new(Means::All, BTreeSet::new());
        scope.resolve.set(ResolveFlags::NO_XDEV, one_filesystem);
        scope
    }

    fn leads_to_mount(&self, path: &[u8]) -> bool {
        let inside = [path, b"/"].concat();
        self.mount_points.contains(path)
            || self.mount_points.range(inside.clone()..).next().is_some_and(|next| next.starts_with(&inside))
    }

    /// A filesystem of the kernel's is mounted here: what is in it are no files to copy.
    fn stays_out(&self, at: &At<'_>) -> Result<bool> {
        if self.means != Means::All || fstat(at.folder)?.st_dev == at.stat.st_dev {
            return Ok(false);
        }
        match open_with(at.folder, at.name.to_bytes(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS) {
            Ok(folder) => Ok(at.path == b"dev" || KERNEL_FILESYSTEMS.contains(&fstatfs(&folder)?.f_type)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Magic numbers (statfs(2)): proc, sysfs, cgroup, cgroup2, devpts, mqueue, debugfs, tracefs, securityfs, bpf.
const KERNEL_FILESYSTEMS: [i64; 10] = [
    0x9fa0,
    0x6265_6572,
    0x27_e0eb,
    0x6367_7270,
    0x1cd1,
    0x1980_0202,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xcafe_4a11,
];

/// Opens a folder at a clean path below `root`.
fn open_with(root: impl AsFd, path: &[u8], resolve: ResolveFlags) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let path = if path.is_empty() { b"." } else { path };
    loop {
        match openat2(&root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Opens one name of a folder, never through a symbolic link.
fn open_child(folder: impl AsFd, name: &CStr, flags: OFlags, one_filesystem: bool) -> Result<OwnedFd> {
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    resolve.set(ResolveFlags::NO_XDEV, one_filesystem);
    loop {
        match openat2(&folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Attributes that overlayfs, fuse-overlayfs and the emulation of ids keep for themselves, and those that only their
/// owners on this machine can read.
fn is_bookkeeping(name: &[u8]) -> bool {
    let ours =
        [&b"user.overlay."[..], b"user.fuseoverlayfs.", b"user.rootlesscontainers", b"trusted.", b"security.selinux"];
    name == override_stat::NAME.as_bytes() || ours.iter().any(|prefix| name.starts_with(prefix))
}

fn failure(path: &[u8], errno: Errno) -> Failure {
    Failure::new(STEP).on(format!("/{}", shown(path))).errno(errno)
}

/// A path as people can read it: of one longer than a screen is wide, where it begins and ends.
fn shown(path: &[u8]) -> String {
    const SIDE: usize = 60;
    let text = String::from_utf8_lossy(path);
    let letters: Vec<char> = text.chars().collect();
    match letters.len() > 4 * SIDE {
        true => letters[..SIDE].iter().chain(&['…']).chain(&letters[letters.len() - SIDE..]).collect(),
        false => text.into_owned(),
    }
}
