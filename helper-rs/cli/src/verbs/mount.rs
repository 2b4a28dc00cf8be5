//! `mount` and `unmount`: the layers of an image to look at, read-only, in the caller's own namespaces (`rootless unshare`).

use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Step};
use crate::mounts::{clone_tree, move_onto};
use crate::rootfs;
use crate::sys::mount::{set_attr, MountAttr};
use rootless_core::lower::annotations::{Overlay, Rootfs};
use rootless_core::lower::mounts::MOUNT_ATTR_RDONLY;
use rustix::fd::AsFd;
use rustix::fs::{open, Mode, OFlags};
use rustix::mount::{unmount as detach, UnmountFlags};
use std::path::PathBuf;

/// `mount --base DIR --to DIR LOWER…`, top first.
pub fn mount(global: Global) -> Step<u8> {
    let (mut base, mut to, mut lower) = (None, None, Vec::new());
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "base" => base = Some(given.text()?),
            Argument::Option(name) if name == "to" => to = Some(PathBuf::from(given.value()?)),
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(layer) => lower.push(layer.to_string_lossy().into_owned()),
        }
    }
    let (base, to) = (args::required(base, "--base")?, args::required(to, "--to")?);
    if let [only] = &lower[..] {
        // The kernel stacks two folders at least.
        let path = PathBuf::from(&base).join(only).display().to_string();
        let tree = clone_tree(&path, false).during("mount-source", &path)?;
        let attr = MountAttr { set: MOUNT_ATTR_RDONLY, ..MountAttr::default() };
        set_attr(tree.as_fd(), false, attr).during("mount", to.display())?;
        let target = open(&to, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).during("mount", to.display())?;
        move_onto(&tree, target.as_fd()).during("mount", to.display())?;
        return Ok(0);
    }
    rootfs::prepare(&Rootfs::Overlay(Overlay { base, lower, ..Overlay::default() }), &to, None)?;
    Ok(0)
}

/// `unmount DIR`
pub fn unmount(global: Global) -> Step<u8> {
    let mut folder = None;
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(path) if folder.is_none() => folder = Some(PathBuf::from(path)),
            Argument::Operand(path) => return Err(args::surplus(&path)),
            Argument::Option(name) => return Err(args::unknown(&name)),
        }
    }
    let folder = args::required(folder, "folder")?;
    detach(&folder, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).during("mount", folder.display())?;
    Ok(0)
}
