//! Where a container's files are reached: through its own mounts while it runs, else in a namespace that is made for the moment.

use super::STEP;
use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use crate::state::Saved;
use crate::sys::process as sys;
use crate::{mounts, rootfs, userns};
use rootless_core::lower::annotations::{Overlay, Rootfs};
use rootless_core::lower::mounts::Source;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{open, Dir, Mode, OFlags};
use std::path::Path;

/// The root of a tree, and whose eyes see it.
pub struct Stand {
    pub root: OwnedFd,
    /// Owners stand in an attribute.
    pub single_id: bool,
    /// This machine's own files.
    pub local: bool,
}

const ROOT: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// This machine.
pub fn local() -> Step<Stand> {
    let root = open("/", ROOT, Mode::empty()).during(STEP, "/")?;
    Ok(Stand { root, single_id: false, local: true })
}

/// A container, with the ids that it has itself. `volumes`: with what is mounted in it.
pub fn container(state: &Path, id: &str, bundle: &Path, volumes: bool) -> Step<Stand> {
    let plan = Plan::read(id, bundle)?;
    match Saved::read(state, id) {
        Ok(saved) if saved.is_alive()? => running(&plan, &saved),
        _ => stopped(plan, volumes),
    }
}

fn running(plan: &Plan, saved: &Saved) -> Step<Stand> {
    let init = saved.open()?;
    // Before its ids are taken on: the folder of a process is open to who made its user namespace.
    let path = format!("/proc/{}/root", saved.pid);
    let root = open(&path, ROOT, Mode::empty()).during(STEP, &path)?;
    // The number could have become another process's between the two calls.
    if !saved.is_alive()? {
        return Err(Failure::because("state", "container is not running").on(&saved.id));
    }
    join_ids(saved.pid, init.as_fd())?;
    Ok(Stand { root, single_id: plan.annotations.single_id, local: false })
}

/// Takes on the ids of the container, and nothing else of it: it can neither see nor signal this process.
fn join_ids(pid: i32, init: BorrowedFd<'_>) -> Step<()> {
    let namespace = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/user")).ok();
    if namespace("self") == namespace(&pid.to_string()) {
        return Ok(());
    }
    sys::set_dumpable(false).and_then(|()| sys::join(init, libc::CLONE_NEWUSER)).during("clone", "user namespace")?;
    userns::become_root()
}

fn stopped(mut plan: Plan, volumes: bool) -> Step<Stand> {
    plan.stand_nearby()?;
    match plan.new_user_namespace() {
        true => userns::enter(&plan.id_map, libc::CLONE_NEWNS)?,
        false => sys::unshare(libc::CLONE_NEWNS).during("clone", "mount namespace")?,
    }
    rootfs::isolate(None)?;
    let kind = match &plan.annotations.rootfs {
        // Filled when it was started first.
        Rootfs::Copy(_) if !is_empty(&plan.rootfs)? => Rootfs::Plain,
        other => other.clone(),
    };
    if let Rootfs::Overlay(overlay @ Overlay { program: Some(program), .. }) = &kind {
        mount_fuse(overlay, program, &plan.rootfs)?;
    }
    let root = rootfs::prepare(&kind, &plan.rootfs, None)?;
    for op in plan.mounts.iter().filter(|op| volumes && !is_kernels(&op.target)) {
        let kept = match &op.source {
            Source::Bind { .. } => true,
            // The folders of `host:`.
            Source::New { kind, .. } => kind == "overlay",
        };
        if kept {
            match mounts::execute(&root, op, (&plan, None), &mut Vec::new()).map(drop) {
                // A source that is gone would keep it from starting, not from being looked at.
                Err(failure) if failure.step == "mount-source" => {}
                result => result?,
            }
        }
    }
    Ok(Stand { root, single_id: plan.annotations.single_id, local: false })
}

fn is_kernels(target: &str) -> bool {
    ["/dev", "/proc", "/sys"].iter().any(|own| Path::new(target).starts_with(own))
}

fn is_empty(folder: &Path) -> Step<bool> {
    let fd = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let mut names = Dir::read_from(fd.during(STEP, folder.display())?).during(STEP, folder.display())?;
    Ok(names.all(|entry| entry.is_ok_and(|entry| matches!(entry.file_name().to_bytes(), b"." | b".."))))
}

/// fuse-overlayfs goes to the background when the mount stands, and ends with it: with this process's mount namespace.
fn mount_fuse(overlay: &Overlay, program: &str, target: &Path) -> Step<()> {
    let upper = overlay.upper.clone().zip(overlay.work.clone());
    let output = std::process::Command::new(program)
        .current_dir(&overlay.base)
        .args(["-o", &rootfs::layer_options(overlay, upper.as_ref())])
        .arg(target)
        .output()
        .during("overlay", program)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failure::because("overlay", String::from_utf8_lossy(&output.stderr).trim()).on(program)),
    }
}
