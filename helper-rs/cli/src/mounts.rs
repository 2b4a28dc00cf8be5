//! Executes mount operations below a root that is not trusted: every target is a descriptor, never a name.

use crate::failure::{During, Failure, Step};
use crate::idmap;
use crate::inside::{self, Missing};
use crate::layers;
use crate::plan::Plan;
use crate::sys::mount::{propagate, set_attr, MountAttr};
use crate::sys::process::set_file_ids;
use rootless_core::lower::mounts::{Attributes, MountOp, Source, ACCESS_TIMES, MOUNT_ATTR_RDONLY};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    fchmod, fchown, fstat, openat, statx, AtFlags, Dir, FileType, Mode, OFlags, StatxAttributes, StatxFlags,
};
use rustix::io::Errno;
use rustix::mount::{
    fsconfig_create, fsconfig_reconfigure, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, fspick, move_mount,
    open_tree, FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags,
};
use rustix::process::{Gid, Uid};
use std::ffi::CString;
use std::path::PathBuf;

/// The ids that the caller has inside the mapping; another one's folders may be open to the caller alone.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
}

impl Caller {
    /// Before the mapping's root is taken on; `None` where the caller is that root.
    pub fn current() -> Option<Caller> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        (uid != 0).then_some(Caller { uid, gid })
    }
}

/// Does one mount below `root`. Answers the tree where its files are to be given to the container's user.
pub fn execute(
    root: &OwnedFd,
    op: &MountOp,
    (plan, caller): (&Plan, Option<Caller>),
    mapped: &mut idmap::Mapped,
) -> Step<Option<OwnedFd>> {
    let named = |failure: Failure| failure.at(op.index);
    if op.remount {
        return remount(root, op).during("mount", &op.target).map_err(named).map(|()| None);
    }
    if op.copy_link && copied_link(root, op, caller).during("mount", &op.target).map_err(named)? {
        return Ok(None);
    }
    let mut given = None;
    let before = mapped.iter().position(|(index, _)| *index == op.index).map(|at| mapped.swap_remove(at).1);
    let is_mapped = before.is_some() && op.idmap.is_some();
    let mount = match (&op.source, before) {
        (_, Some(tree)) if is_mapped => tree,
        (Source::Bind { recursive, .. }, before) => {
            if op.extra.chown {
                // Another view of it: the one that the container gets may be read-only.
                given = Some(copy_source(op, false, caller)?);
            }
            match (copy_source(op, *recursive, caller), before) {
                (Err(failure), Some(tree)) if failure.errno == Some(Errno::ACCESS.raw_os_error()) => tree,
                (copied, _) => copied?,
            }
        }
        (Source::New { kind, source, parameters }, _) => {
            let inherited = inherited_mode(root, op).map(|mode| ("mode".to_string(), Some(mode)));
            let parameters = &parameters.iter().cloned().chain(inherited).collect::<Vec<_>>();
            let made = match create(kind, source, parameters, caller) {
                Err(Errno::PERM) if kind == "proc" => second_best_proc(source, parameters),
                // For the same reason; and where the network namespace is not ours.
                Err(Errno::PERM) if kind == "sysfs" => clone_tree("/sys", true),
                made => made,
            };
            made.during("mount", &op.target).map_err(named)?
        }
    };
    if !is_mapped {
        idmap::apply_inside(&mount, op, plan)?;
    }
    attach(root, op, &mount).map_err(|errno| {
        let failure = Failure::new("mount").errno(errno).on(&op.target);
        let message = (errno == Errno::LOOP && is_fixed(op)).then(|| "it must be mounted on ordinary directory".into());
        named(Failure { message, ..failure })
    })?;
    if let (Source::New { .. }, Some(subpath)) = (&op.source, &op.extra.subpath) {
        let fail = |error| named(Failure::new("mount-source").errno(error).on(named_source("", op)));
        cover_with_part(&mount, subpath, op).map_err(fail)?;
    }
    Ok(given)
}

/// Changes what is mounted on the target, as mount(8) does; the target has to be the root of a mount.
fn remount(root: &OwnedFd, op: &MountOp) -> Result<(), Errno> {
    let target = inside::open(root, &op.target, Missing::Refuse, op.no_follow)?;
    let status = statx(&target, "", AtFlags::EMPTY_PATH, StatxFlags::empty())?;
    if !status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        return Err(Errno::INVAL);
    }
    if let Source::New { parameters, .. } = &op.source {
        if !parameters.is_empty() {
            let fs = fspick(&target, "", FsPickFlags::FSPICK_EMPTY_PATH | FsPickFlags::FSPICK_CLOEXEC)?;
            for (key, value) in parameters {
                match value {
                    Some(value) => fsconfig_set_string(&fs, key.as_str(), value.as_str())?,
                    None => fsconfig_set_flag(&fs, key.as_str())?,
                }
            }
            fsconfig_reconfigure(&fs)?;
        }
    }
    change(target.as_fd(), false, op.attributes)?;
    change(target.as_fd(), true, op.recursive)
}

/// `copy-symlink`: false if the source is no link, and has to be mounted.
fn copied_link(root: &OwnedFd, op: &MountOp, caller: Option<Caller>) -> Result<bool, Errno> {
    let Source::Bind { path, .. } = &op.source else { return Ok(false) };
    let link = match rustix::fs::readlink(path, Vec::new()) {
        Err(Errno::INVAL) => return Ok(false),
        Err(Errno::ACCESS) if caller.is_some() => return Ok(false),
        other => other?,
    };
    let (folder, name) = op.target.trim_end_matches('/').rsplit_once('/').ok_or(Errno::INVAL)?;
    let folder = inside::open(root, folder, Missing::MakeFolder, false)?;
    match rustix::fs::symlinkat(&link, &folder, name) {
        Err(Errno::EXIST) if rustix::fs::readlinkat(&folder, name, Vec::new()).as_ref() == Ok(&link) => Ok(true),
        other => other.map(|()| true),
    }
}

/// What a bind takes: a detached copy of the tree at its source.
pub fn copy_source(op: &MountOp, recursive: bool, caller: Option<Caller>) -> Step<OwnedFd> {
    let Source::Bind { path, .. } = &op.source else { return Err(Failure::new("mount-source").at(op.index)) };
    open_source(path, op, caller)
        .and_then(|source| clone_fd(&source, recursive))
        .map_err(|errno| Failure::new("mount-source").errno(errno).on(named_source(path, op)).at(op.index))
}

/// A part of a filesystem that was just made: it can be opened only once it is attached, and then covers the whole.
fn cover_with_part(mount: &OwnedFd, subpath: &str, op: &MountOp) -> Result<(), Errno> {
    let part = clone_fd(&inside::open(mount, subpath, Missing::Refuse, false)?, false)?;
    change(part.as_fd(), false, op.attributes)?;
    move_onto(&part, mount.as_fd())
}

fn named_source(path: &str, op: &MountOp) -> String {
    match &op.extra.subpath {
        Some(subpath) => format!("{}/{subpath}", path.trim_end_matches('/')),
        None => path.to_string(),
    }
}

fn attach(root: &OwnedFd, op: &MountOp, mount: &OwnedFd) -> Result<(), Errno> {
    let missing = if is_folder(mount)? { Missing::MakeFolder } else { Missing::MakeFile };
    // Every container is judged by what is at /proc and /sys: no image may lead these elsewhere.
    let target = inside::open(root, &op.target, missing, op.no_follow || is_fixed(op))?;
    if is_fixed(op) && FileType::from_raw_mode(fstat(&target)?.st_mode) == FileType::Symlink {
        return Err(Errno::LOOP);
    }
    if op.copy_up {
        copy_up(&target, mount)?;
        keep_mode(op, mount)?;
    }
    // Into a /dev that is to be read-only the devices have to be put first.
    let attributes = if is_new_dev(op) { without_read_only(op.attributes) } else { op.attributes };
    change(mount.as_fd(), false, attributes)?;
    change(mount.as_fd(), true, op.recursive)?;
    move_onto(mount, target.as_fd())?;
    for flags in &op.propagation {
        // The attached mount by its own descriptor: a path could have been swapped meanwhile.
        let path = CString::new(format!("/proc/self/fd/{}", mount.as_raw_fd())).map_err(|_| Errno::INVAL)?;
        propagate(&path, *flags)?;
    }
    Ok(())
}

fn is_fixed(op: &MountOp) -> bool {
    matches!(&op.source, Source::New { kind, .. } if matches!(kind.as_str(), "proc" | "sysfs"))
}

/// A tmpfs that nobody gave a mode looks like the folder that it covers.
fn inherited_mode(root: &OwnedFd, op: &MountOp) -> Option<String> {
    let Source::New { kind, parameters, .. } = &op.source else { return None };
    if kind != "tmpfs" || parameters.iter().any(|(key, _)| key == "mode") {
        return None;
    }
    let target = inside::open(root, &op.target, Missing::Refuse, op.no_follow).ok()?;
    fstat(&target).ok().map(|stat| format!("{:o}", stat.st_mode & 0o7777))
}

/// The one that was asked for, and not that of the folder whose files were copied.
fn keep_mode(op: &MountOp, mount: &OwnedFd) -> Result<(), Errno> {
    let Source::New { parameters, .. } = &op.source else { return Ok(()) };
    let asked = parameters.iter().find(|(key, _)| key == "mode").and_then(|(_, mode)| mode.as_deref());
    let Some(mode) = asked.and_then(|mode| u32::from_str_radix(mode, 8).ok()) else { return Ok(()) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fchmod(openat(mount, c".", flags, Mode::empty())?, Mode::from_raw_mode(mode))
}

fn is_new_dev(op: &MountOp) -> bool {
    op.target.trim_end_matches('/') == "/dev" && matches!(op.source, Source::New { .. })
}

fn without_read_only(attributes: Attributes) -> Attributes {
    Attributes { set: attributes.set & !MOUNT_ATTR_RDONLY, ..attributes }
}

/// A /dev of the container's own becomes read-only, where that was asked for, when nothing more is put into it.
pub fn finish_dev(root: &OwnedFd, op: &MountOp) -> Result<(), Errno> {
    match is_new_dev(op) && op.attributes.set & MOUNT_ATTR_RDONLY != 0 {
        true => change(inside::open(root, "/dev", Missing::Refuse, false)?.as_fd(), false, op.attributes),
        false => Ok(()),
    }
}

/// The subpath is resolved inside the source, whatever links are in it and whoever swaps them meanwhile.
fn open_source(path: &str, op: &MountOp, caller: Option<Caller>) -> Result<OwnedFd, Errno> {
    if op.source_no_follow {
        return rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    }
    let source = open_as(path, caller)?;
    match op.extra.subpath.as_deref() {
        Some(subpath) => inside::open(&source, subpath, Missing::Refuse, false),
        None => Ok(source),
    }
}

/// Opens a path (O_PATH). A folder on the way that only the caller may enter, and whose group is not mapped, is closed to the
/// container's root: no capability counts there (capabilities(7), "user namespaces").
fn open_as(path: &str, caller: Option<Caller>) -> Result<OwnedFd, Errno> {
    let open = || rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    match (open(), caller) {
        (Err(Errno::ACCESS), Some(Caller { uid, gid })) => {
            set_file_ids(uid, gid);
            let again = open();
            set_file_ids(0, 0);
            again
        }
        (other, _) => other,
    }
}

/// A detached copy of a tree. Copied into a less privileged namespace, its flags are locked: they can be added to, never taken away.
pub fn clone_tree(path: &str, recursive: bool) -> Result<OwnedFd, Errno> {
    clone_fd(&open_as(path, None)?, recursive)
}

pub fn clone_fd(source: &OwnedFd, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(source, "", flags)
}

/// A new filesystem instance, not attached anywhere yet.
fn create(
    kind: &str,
    source: &str,
    parameters: &[(String, Option<String>)],
    caller: Option<Caller>,
) -> Result<OwnedFd, Errno> {
    let mut folders = Folders::default();
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    if !source.is_empty() {
        fsconfig_set_string(&fs, "source", source)?;
    }
    for (key, value) in parameters {
        match value {
            Some(value) if kind == "overlay" && is_layer(key) => {
                let short = by_descriptor(key, value, caller, &mut folders)?;
                fsconfig_set_string(&fs, key.as_str(), short.as_str())?;
            }
            Some(value) => fsconfig_set_string(&fs, key.as_str(), value.as_str())?,
            // Every devpts instance is its own since Linux 4.7; the word is in everybody's configuration.
            None if kind == "devpts" && key == "newinstance" => {}
            None => fsconfig_set_flag(&fs, key.as_str())?,
        }
    }
    if kind == "overlay" {
        look_like_lower(&folders)?;
    }
    fsconfig_create(&fs)?;
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// Where parts of /proc are covered (inside a container of another engine), the kernel makes no new one: it would uncover them.
///
/// From Linux 7.2 it makes one without the parts beside processes. Else the outer one is shown, covers and all: processes are
/// numbered as outside there, and what the container may do to them ends at its pid and user namespaces as before.
fn second_best_proc(source: &str, parameters: &[(String, Option<String>)]) -> Result<OwnedFd, Errno> {
    let subset = std::iter::once(("subset".to_string(), Some("pid".to_string())));
    let without_rest: Vec<_> = parameters.iter().cloned().chain(subset).collect();
    create("proc", source, &without_rest, None).or_else(|error| match error {
        Errno::PERM => clone_tree("/proc", true),
        other => Err(other),
    })
}

/// An upper folder that is new is what the merged folder looks like: it gets the owner and mode of the folder below.
fn look_like_lower(folders: &Folders) -> Result<(), Errno> {
    let (Some(lower), Some(upper)) = (folders.lower.first(), &folders.upper) else { return Ok(()) };
    let upper = openat(upper, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let written = Dir::read_from(&upper)?
        .any(|entry| entry.is_ok_and(|entry| !matches!(entry.file_name().to_bytes(), b"." | b"..")));
    let stat = fstat(lower)?;
    // Somebody who is not mapped cannot own it.
    if !written && fchown(&upper, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid))).is_ok() {
        fchmod(&upper, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    }
    Ok(())
}

/// Of an overlay; open until it is mounted.
#[derive(Default)]
struct Folders {
    lower: Vec<OwnedFd>,
    upper: Option<OwnedFd>,
    work: Option<OwnedFd>,
}

fn is_layer(key: &str) -> bool {
    matches!(key, "lowerdir" | "upperdir" | "workdir")
}

/// Paths of an overlay by descriptors: a parameter has at most 255 bytes (fsconfig(2)).
fn by_descriptor(key: &str, value: &str, caller: Option<Caller>, folders: &mut Folders) -> Result<String, Errno> {
    let name = |folder: &OwnedFd| format!("/proc/self/fd/{}", folder.as_raw_fd());
    if key != "lowerdir" {
        let folder = open_as(value, caller)?;
        let place = if key == "upperdir" { &mut folders.upper } else { &mut folders.work };
        return Ok(name(place.insert(folder)));
    }
    folders.lower = split_escaped(value).iter().map(|path| open_as(path, caller)).collect::<Result<_, _>>()?;
    Ok(folders.lower.iter().map(name).collect::<Vec<_>>().join(":"))
}

/// The paths of `lowerdir`: separated by colons, and a backslash takes the meaning of the next character away.
fn split_escaped(value: &str) -> Vec<String> {
    let mut paths = vec![String::new()];
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (character, paths.last_mut()) {
            (':', _) => paths.push(String::new()),
            ('\\', Some(path)) => path.extend(characters.next()),
            (other, Some(path)) => path.push(other),
            _ => {}
        }
    }
    paths
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
        // Options like `rw`, `suid`, `relatime` ask for what a locked mount cannot give: keeping the stricter flag is right, and so is
        // keeping the times.
        Err(Errno::PERM) if attributes.clear != 0 || attributes.set & ACCESS_TIMES != 0 => {
            let attr = MountAttr { set: attributes.set & !ACCESS_TIMES, ..MountAttr::default() };
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
pub fn mask(root: &OwnedFd, path: &str, covers: &mut Covers) -> Result<(), Errno> {
    let target = match inside::open(root, path, Missing::Refuse, false) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    if !is_folder(&target)? {
        return move_onto(&null_device()?, target.as_fd());
    }
    // One filesystem for all; a mount can be copied only when it is attached.
    if let Some(first) = &covers.folder {
        return move_onto(&clone_fd(first, false)?, target.as_fd());
    }
    let parameters = [("size".into(), Some("0".into())), ("nr_inodes".into(), Some("2".into()))];
    let tmpfs = create("tmpfs", "tmpfs", &parameters, None)?;
    change(tmpfs.as_fd(), false, Attributes { set: MOUNT_ATTR_RDONLY, clear: 0 })?;
    move_onto(&tmpfs, target.as_fd())?;
    covers.folder = Some(tmpfs);
    Ok(())
}

/// What masked paths are covered with.
#[derive(Default)]
pub struct Covers {
    folder: Option<OwnedFd>,
}

/// /dev/null, if it is that: a /dev that was brought along may have anything under the name.
fn null_device() -> Result<OwnedFd, Errno> {
    let null = clone_tree("/dev/null", false)?;
    let stat = fstat(&null)?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    match is_device && stat.st_rdev == rustix::fs::makedev(1, 3) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_separated_by_colons_that_are_not_escaped() {
        assert_eq!(split_escaped("/a:/b"), ["/a", "/b"]);
        assert_eq!(split_escaped("/a\\:b\\\\:/c"), ["/a:b\\", "/c"]);
    }
}
