//! The root filesystem: how it comes to be, and how it becomes `/`.

use crate::failure::{During, Failure, Step};
use crate::layers;
use crate::sys::mount as sys_mount;
use crate::sys::mount::MountAttr;
use rootless_core::lower::annotations::{Copy, Overlay, Rootfs};
use rootless_core::lower::mounts::{MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_SHARED, MS_SLAVE};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{open, openat, statx, AtFlags, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::mount::{
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, unmount,
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};
use std::ffi::CString;
use std::path::{Path, PathBuf};

const MS_REC: u64 = 1 << 14;
/// A page less the terminating byte and some room: the longest data string of mount(2).
const LONGEST_DATA: usize = 4000;

/// Cuts this mount namespace off: what is mounted in it is not seen outside. Only where `rootfsPropagation` (`wish`) is
/// shared do the host's mounts stay shared, for the binds of them.
pub fn isolate(wish: Option<u64>) -> Step<()> {
    let flags = wish.map_or(MS_SLAVE, |wish| match wish & (MS_SHARED | MS_PRIVATE) {
        0 => MS_SLAVE,
        kept => kept,
    });
    sys_mount::propagate(c"/", flags | MS_REC).during("rootfs", "propagation of /")
}

/// Makes the root filesystem appear on `path` and answers it as a directory descriptor.
pub fn prepare(kind: &Rootfs, path: &Path, wish: Option<u64>) -> Step<OwnedFd> {
    if wish.is_some_and(|wish| wish & MS_SHARED != 0) {
        part_from_host(path)?;
    }
    match kind {
        Rootfs::Plain => bind_on_itself(path, 0)?,
        Rootfs::ReadOnlyBind => bind_on_itself(path, MOUNT_ATTR_RDONLY)?,
        Rootfs::Overlay(overlay) if overlay.program.is_some() => {}
        Rootfs::Overlay(overlay) => mount_overlay(overlay, path)?,
        Rootfs::Copy(copy) => {
            merge(copy, path)?;
            bind_on_itself(path, 0)?;
        }
    }
    let fd = open_path(path, OFlags::PATH).during("rootfs", path.display())?;
    // pivot_root(2) refuses a new root, or a parent of it, that is shared.
    let name =
        CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| Failure::because("rootfs", "NUL in path"))?;
    sys_mount::propagate(&name, MS_PRIVATE).during("rootfs", "propagation of the root")?;
    Ok(fd)
}

/// The mount that `path` is in becomes private: else what is mounted on `path` would be mounted outside too, and a copy of it
/// be shared, which pivot_root(2) refuses.
fn part_from_host(path: &Path) -> Step<()> {
    let status =
        |fd: &OwnedFd| statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::empty()).during("rootfs", path.display());
    let mut folder = open_path(path, OFlags::PATH).during("rootfs", path.display())?;
    while !status(&folder)?.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        folder = openat(&folder, "..", flags, Mode::empty()).during("rootfs", path.display())?;
    }
    rustix::process::fchdir(&folder).during("rootfs", path.display())?;
    sys_mount::propagate(c".", MS_PRIVATE).during("rootfs", "propagation of its mount")
}

/// `rootfsPropagation`, for what the container's own programs mount.
pub fn propagate(wish: Option<u64>) -> Step<()> {
    wish.map_or(Ok(()), |wish| sys_mount::propagate(c"/", wish).during("rootfs", "propagation of /"))
}

/// pivot_root(2) needs a mount point: a copy of the tree mounted on itself.
fn bind_on_itself(path: &Path, attributes: u64) -> Step<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(rustix::fs::CWD, path, flags).during("rootfs", path.display())?;
    if attributes != 0 {
        let attr = MountAttr { set: attributes, ..MountAttr::default() };
        sys_mount::set_attr(tree.as_fd(), true, attr).during("rootfs", path.display())?;
    }
    move_mount(&tree, "", rustix::fs::CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .during("rootfs", path.display())
}

fn merge(copy: &Copy, to: &Path) -> Step<()> {
    let lower: Vec<PathBuf> = copy.lower.iter().map(|layer| Path::new(&copy.base).join(layer)).collect();
    layers::flatten::flatten(&lower, to)
}

/// An overlay by the kernel, with its marks in `user.overlay.*` attributes (Linux 5.11), as any user may write them.
fn mount_overlay(overlay: &Overlay, target: &Path) -> Step<()> {
    rustix::process::chdir(&overlay.base).during("overlay", &overlay.base)?;
    if overlay.tmpfs {
        mount_private_tmpfs(target)?;
    }
    let upper = if overlay.tmpfs {
        Some((target.join("upper").display().to_string(), target.join("work").display().to_string()))
    } else {
        overlay.upper.clone().zip(overlay.work.clone())
    };
    if let Some((upper, _)) = &upper {
        own_root(upper)?;
    }
    let data = overlay_data(overlay, upper.as_ref());
    if data.len() <= LONGEST_DATA {
        let path = |text: &str| CString::new(text).map_err(|_| Failure::because("overlay", "NUL in path"));
        let target_name = path(&target.display().to_string())?;
        sys_mount::mount(c"overlay", &target_name, c"overlay", &path(&data)?).during("overlay", data)
    } else {
        mount_long_overlay(overlay, upper.as_ref(), target).during("overlay", format!("{} layers", overlay.lower.len()))
    }
}

/// A mount that the holder of /dev/fuse (a descriptor of this number) will serve.
pub fn mount_fuse(device: i32, target: &Path) -> Step<()> {
    let data = format!("fd={device},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other");
    let name = |bytes: &[u8]| CString::new(bytes).map_err(|_| Failure::because("overlay", "NUL in path"));
    let target_name = name(target.as_os_str().as_encoded_bytes())?;
    sys_mount::mount(c"fuse-overlayfs", &target_name, c"fuse.fuse-overlayfs", &name(data.as_bytes())?)
        .during("overlay", target.display())
}

/// The container's `/` is the upper folder: it belongs to the container's root, also where the caller who made it is another
/// user in there (`--userns keep-id`).
fn own_root(upper: &str) -> Step<()> {
    use rustix::process::{Gid, Uid};
    match rustix::fs::chownat(rustix::fs::CWD, upper, Some(Uid::ROOT), Some(Gid::ROOT), AtFlags::SYMLINK_NOFOLLOW) {
        // One id only, and it is not 0: there is nobody else to own it.
        Err(rustix::io::Errno::INVAL) => Ok(()),
        other => other.during("overlay", upper),
    }
}

/// Options as overlayfs and fuse-overlayfs parse them: `\` before what would end a path.
pub fn layer_options(overlay: &Overlay, upper: Option<&(String, String)>) -> String {
    let lower: Vec<String> = overlay.lower.iter().map(|path| escape(path, "\\:,")).collect();
    let mut data = format!("lowerdir={}", lower.join(":"));
    if let Some((upper, work)) = upper {
        data.push_str(&format!(",upperdir={},workdir={}", escape(upper, "\\,"), escape(work, "\\,")));
    }
    data
}

fn overlay_data(overlay: &Overlay, upper: Option<&(String, String)>) -> String {
    let mut data = format!("userxattr,{}", layer_options(overlay, upper));
    if overlay.volatile || overlay.tmpfs {
        data.push_str(",volatile");
    }
    data
}

fn escape(path: &str, special: &str) -> String {
    path.chars().flat_map(|c| special.contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// More layers than a page of options can name: one parameter a layer (`lowerdir+`, Linux 6.5).
fn mount_long_overlay(
    overlay: &Overlay,
    upper: Option<&(String, String)>,
    target: &Path,
) -> Result<(), rustix::io::Errno> {
    let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_flag(&fs, "userxattr")?;
    for layer in &overlay.lower {
        fsconfig_set_string(&fs, "lowerdir+", layer.as_str())?;
    }
    if let Some((upper, work)) = upper {
        fsconfig_set_string(&fs, "upperdir", upper.as_str())?;
        fsconfig_set_string(&fs, "workdir", work.as_str())?;
    }
    if overlay.volatile || overlay.tmpfs {
        fsconfig_set_flag(&fs, "volatile")?;
    }
    fsconfig_create(&fs)?;
    let mount = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    move_mount(&mount, "", rustix::fs::CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// A tmpfs on `target` with the folders `upper` and `work`; the overlay then covers it.
fn mount_private_tmpfs(target: &Path) -> Step<()> {
    let make = || -> Result<(), rustix::io::Errno> {
        let fs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&fs, "mode", "0755")?;
        fsconfig_create(&fs)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
        let mount = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        move_mount(&mount, "", rustix::fs::CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        for folder in ["upper", "work"] {
            rustix::fs::mkdir(target.join(folder), Mode::from_raw_mode(0o755))?;
        }
        Ok(())
    };
    make().during("overlay", "tmpfs")
}

/// Makes `root` the process's `/` and forgets the old one.
pub fn pivot(root: &OwnedFd) -> Step<()> {
    // 1. Hold the old root: after the switch it has no name.
    let old = open_path(Path::new("/"), OFlags::RDONLY).during("pivot", "/")?;
    // 2. pivot_root(".", "."): the old root is stacked on the same directory as the new one, so no folder in the image is
    //    needed to put it (pivot_root(2), notes). The directory is entered by descriptor: its path may be swapped by others.
    rustix::process::fchdir(root).during("pivot", "new root")?;
    rustix::process::pivot_root(".", ".").during("pivot", ".")?;
    // 3. Into the old root, to cut it off: unmounting must not travel to the mounts that it was copied from.
    rustix::process::fchdir(&old).during("pivot", "old root")?;
    sys_mount::propagate(c".", MS_SLAVE | MS_REC).during("pivot", "propagation of the old root")?;
    // 4. Detach it. Lazily, because our descriptor and the working directory still hold it for one more line.
    unmount(".", UnmountFlags::DETACH).during("pivot", "old root")?;
    rustix::process::chdir("/").during("pivot", "/")
}

/// The same where pivot_root(2) is not possible: the new root is moved onto the old one, and entered.
pub fn chroot(root: &OwnedFd) -> Step<()> {
    let old = open_path(Path::new("/"), OFlags::PATH).during("pivot", "/")?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(root, "", &old, "", flags).during("pivot", "/")?;
    rustix::process::fchdir(root).during("pivot", "new root")?;
    rustix::process::chroot(".").during("pivot", ".")?;
    rustix::process::chdir("/").during("pivot", "/")
}

/// `root.readonly`: only the root mount itself, mounts below keep their own mode.
pub fn make_read_only() -> Step<()> {
    let root = open_path(Path::new("/"), OFlags::PATH).during("rootfs", "/")?;
    let attr = MountAttr { set: MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    sys_mount::set_attr(root.as_fd(), false, attr).during("rootfs", "read-only")
}

fn open_path(path: &Path, how: OFlags) -> Result<OwnedFd, rustix::io::Errno> {
    open(path, how | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_options_escape_what_would_end_a_path() {
        let overlay = Overlay { lower: vec!["a:b".into(), "c,d\\".into()], volatile: true, ..Overlay::default() };
        let upper = ("u,1:2".to_string(), "w".to_string());
        assert_eq!(
            overlay_data(&overlay, Some(&upper)),
            "userxattr,lowerdir=a\\:b:c\\,d\\\\,upperdir=u\\,1:2,workdir=w,volatile"
        );
    }
}
