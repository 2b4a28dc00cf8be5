//! Executes mount operations below a root that is not trusted: every target is a descriptor, never a name.

use crate::failure::{During, Failure, Step};
use crate::inside::{self, Missing};
use crate::layers;
use crate::sys::mount::{propagate, set_attr, MountAttr};
use rootless_core::lower::mounts::{Attributes, MountOp, Source, MOUNT_ATTR_RDONLY};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{fstat, FileType};
use rustix::io::Errno;
use rustix::mount::{
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, FsMountFlags,
    FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags,
};
use std::ffi::CString;
use std::path::PathBuf;

/// Does one mount below `root`.
pub fn execute(root: &OwnedFd, op: &MountOp) -> Step<()> {
    let named = |failure: Failure| failure.at(op.index);
    if op.idmap {
        return Err(named(Failure::because("mount", "id-mapped mounts are not possible here").on(&op.target)));
    }
    let mount = match &op.source {
        Source::Bind { path, recursive } => {
            clone_tree(path, *recursive).map_err(|error| named(Failure::new("mount-source").errno(error).on(path)))?
        }
        Source::New { kind, source, parameters } => {
            create(kind, source, parameters).during("mount", &op.target).map_err(named)?
        }
    };
    attach(root, op, &mount).during("mount", &op.target).map_err(named)
}

fn attach(root: &OwnedFd, op: &MountOp, mount: &OwnedFd) -> Result<(), Errno> {
    let missing = if is_folder(mount)? { Missing::MakeFolder } else { Missing::MakeFile };
    let target = inside::open(root, &op.target, missing, op.no_follow)?;
    if op.copy_up {
        copy_up(&target, mount)?;
    }
    change(mount.as_fd(), false, op.attributes)?;
    change(mount.as_fd(), true, op.recursive)?;
    move_onto(mount, target.as_fd())?;
    for flags in &op.propagation {
        // The attached mount by its own descriptor: a path could have been swapped meanwhile.
        let path = CString::new(format!("/proc/self/fd/{}", mount.as_raw_fd())).map_err(|_| Errno::INVAL)?;
        propagate(&path, *flags)?;
    }
    Ok(())
}

/// A detached copy of a tree. Copied into a less privileged namespace, its flags are locked: they can be added to, never taken away.
pub fn clone_tree(path: &str, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(rustix::fs::CWD, path, flags)
}

/// A new filesystem instance, not attached anywhere yet.
fn create(kind: &str, source: &str, parameters: &[(String, Option<String>)]) -> Result<OwnedFd, Errno> {
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    if !source.is_empty() {
        fsconfig_set_string(&fs, "source", source)?;
    }
    for (key, value) in parameters {
        match value {
            Some(value) => fsconfig_set_string(&fs, key.as_str(), value.as_str())?,
            // Every devpts instance is its own since Linux 4.7; the word is in everybody's configuration.
            None if kind == "devpts" && key == "newinstance" => {}
            None => fsconfig_set_flag(&fs, key.as_str())?,
        }
    }
    fsconfig_create(&fs)?;
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

fn copy_up(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let name = |fd: &OwnedFd| PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    layers::flatten::flatten(&[name(from)], &name(to))
        .map_err(|failure| Errno::from_raw_os_error(failure.errno.unwrap_or(5)))
}

fn change(mount: BorrowedFd<'_>, recursive: bool, attributes: Attributes) -> Result<(), Errno> {
    if attributes == Attributes::default() {
        return Ok(());
    }
    let attr = MountAttr { set: attributes.set, clear: attributes.clear, ..MountAttr::default() };
    match set_attr(mount, recursive, attr) {
        // Options like `rw`, `suid`, `relatime` ask for what a locked mount cannot give: keeping the stricter flag is right.
        Err(Errno::PERM) if attributes.clear != 0 => {
            let attr = MountAttr { set: attributes.set & !0x70, ..MountAttr::default() };
            if attr == MountAttr::default() {
                return Ok(());
            }
            set_attr(mount, recursive, attr)
        }
        other => other,
    }
}

/// Attaches a detached mount on whatever an O_PATH descriptor refers to.
pub fn move_onto(mount: &OwnedFd, target: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}

pub fn is_folder(fd: &OwnedFd) -> Result<bool, Errno> {
    Ok(FileType::from_raw_mode(fstat(fd)?.st_mode) == FileType::Directory)
}

/// `linux.maskedPaths`: files covered by /dev/null, folders by an empty read-only tmpfs. What is not there needs no mask.
pub fn mask(root: &OwnedFd, path: &str) -> Result<(), Errno> {
    let target = match inside::open(root, path, Missing::Refuse, false) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let cover = if is_folder(&target)? {
        let tmpfs =
            create("tmpfs", "tmpfs", &[("size".into(), Some("0".into())), ("nr_inodes".into(), Some("2".into()))])?;
        change(tmpfs.as_fd(), false, Attributes { set: MOUNT_ATTR_RDONLY, clear: 0 })?;
        tmpfs
    } else {
        null_device()?
    };
    move_onto(&cover, target.as_fd())
}

/// /dev/null, if it is that: a /dev that was brought along may have anything under the name.
fn null_device() -> Result<OwnedFd, Errno> {
    let null = clone_tree("/dev/null", false)?;
    match fstat(&null)?.st_rdev == rustix::fs::makedev(1, 3) {
        true => Ok(null),
        false => Err(Errno::NODEV),
    }
}

/// `linux.readonlyPaths`: the path mounted on itself, read-only with all below it.
pub fn protect(root: &OwnedFd, path: &str) -> Result<(), Errno> {
    let target = match inside::open(root, path, Missing::Refuse, false) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(&target, "", flags)?;
    change(tree.as_fd(), true, Attributes { set: MOUNT_ATTR_RDONLY, clear: 0 })?;
    move_onto(&tree, target.as_fd())
}
