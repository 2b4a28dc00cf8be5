//! Id-mapped mounts (mount_setattr(2), MOUNT_ATTR_IDMAP): files of a source with other owners at the target.
//!
//! The kernel asks for CAP_SYS_ADMIN over the user namespace in which the filesystem was mounted. So sources of binds are mapped here,
//! by the runtime in its own namespaces, and inherited by the container's first process; what that process mounts itself it maps itself.

use crate::failure::{During, Failure, Step};
use crate::mounts;
use crate::plan::Plan;
use crate::sys::mount::{set_attr, MountAttr};
use crate::sys::process::{self, Forked};
use crate::sys::socket;
use crate::userns;
use rootless_core::lower::mounts::{MountIds, MountOp, Source, MOUNT_ATTR_IDMAP};
use rootless_core::lower::namespaces::CLONE_NEWUSER;
use rootless_core::oci::runtime::IdMapping;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{openat, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};

/// Trees that were copied beforehand, mapped where that was asked for, each with the index of its mount.
pub type Mapped = Vec<(usize, OwnedFd)>;

/// In the runtime: the sources of binds, where this process is root of its user namespace. Nobody else can map any of them, and hears so
/// when it is tried.
pub fn prepare(plan: &Plan) -> Step<Mapped> {
    let mut mapped = Mapped::new();
    let elsewhere = plan.in_user_namespace();
    if plan.mounts.iter().all(|op| op.idmap.is_none() && !elsewhere) || !userns::is_privileged() {
        return Ok(mapped);
    }
    for op in &plan.mounts {
        let Source::Bind { recursive, .. } = &op.source else { continue };
        let Some(ids) = &op.idmap else {
            // For a source that the container's root may not reach; what fails here is said where it is mounted.
            mapped.extend(mounts::copy_source(op, *recursive, None).ok().map(|tree| (op.index, tree)));
            continue;
        };
        let named = |failure: Failure| failure.at(op.index).on(&op.target);
        let tree = mounts::copy_source(op, *recursive, None)?;
        let namespace = namespace_of(plan, ids).map_err(named)?;
        apply(&tree, ids, &namespace).map_err(|errno| named(refused(errno)))?;
        mapped.push((op.index, tree));
    }
    Ok(mapped)
}

/// The namespace whose mapping the mount gets: one of its own numbers, or with those of the container.
fn namespace_of(plan: &Plan, ids: &MountIds) -> Step<OwnedFd> {
    if !ids.is_own() {
        let (uid, gid) = absolute(ids, &plan.id_map.uid, &plan.id_map.gid)?;
        return make(&uid, &gid);
    }
    let joined = plan.namespaces.join.iter().find(|(flag, _)| *flag == CLONE_NEWUSER);
    match joined {
        Some((_, path)) => {
            rustix::fs::open(path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("mount", path)
        }
        None => make(&plan.id_map.uid, &plan.id_map.gid),
    }
}

/// In the container's first process: a mount that was not mapped before.
pub fn apply_inside(mount: &OwnedFd, op: &MountOp, plan: &Plan) -> Step<()> {
    let Some(ids) = &op.idmap else { return Ok(()) };
    let named = |failure: Failure| failure.at(op.index).on(&op.target);
    let is_new = matches!(op.source, Source::New { .. });
    if ids.is_own() {
        // What the container mounts itself has the ids of its namespace anyway.
        return if is_new { Ok(()) } else { Err(named(refused(Errno::PERM))) };
    }
    let inside = || -> Step<()> {
        let (uid, gid) = absolute(ids, &plan.id_map.uid, &plan.id_map.gid)?;
        let (uid, gid) = match plan.in_user_namespace() {
            true => (to_own(&uid, &plan.id_map.uid, "uid")?, to_own(&gid, &plan.id_map.gid, "gid")?),
            false => (uid, gid),
        };
        let namespace = make(&uid, &gid)?;
        apply(mount, ids, &namespace).map_err(refused)
    };
    inside().map_err(named)
}

fn apply(mount: &OwnedFd, ids: &MountIds, namespace: &OwnedFd) -> Result<(), Errno> {
    let attr = MountAttr { set: MOUNT_ATTR_IDMAP, userns: namespace.as_raw_fd() as u64, ..MountAttr::default() };
    set_attr(mount.as_fd(), ids.recursive, attr)
}

fn refused(errno: Errno) -> Failure {
    let why = match errno {
        Errno::PERM => "the kernel maps ids only of filesystems that were mounted in a user namespace of the caller's",
        Errno::INVAL => "this filesystem has no id-mapped mounts, or its ids are these already",
        _ => "ids of a mount",
    };
    Failure::because("mount", why).errno(errno)
}

/// Mappings that count from the container's ids (`@`, as in crun), in ids of the host.
fn absolute(ids: &MountIds, uid: &[IdMapping], gid: &[IdMapping]) -> Step<(Vec<IdMapping>, Vec<IdMapping>)> {
    let resolve = |list: &[IdMapping], relative: &[bool], map: &[IdMapping]| {
        let one = |(at, mapping): (usize, &IdMapping)| {
            if !relative.get(at).copied().unwrap_or(false) {
                return Ok(*mapping);
            }
            let host_id = userns::to_host(map, mapping.host_id)
                .ok_or_else(|| Failure::because("mount", format!("the container has no id {}", mapping.host_id)))?;
            Ok(IdMapping { host_id, ..*mapping })
        };
        list.iter().enumerate().map(one).collect::<Step<Vec<_>>>()
    };
    Ok((resolve(&ids.uid, &ids.relative_uid, uid)?, resolve(&ids.gid, &ids.relative_gid, gid)?))
}

/// Ids of the host as this namespace knows them, in as many pieces as its own mapping has.
fn to_own(list: &[IdMapping], own: &[IdMapping], kind: &str) -> Step<Vec<IdMapping>> {
    let mut pieces = Vec::new();
    for map in list {
        let mut done = 0;
        while done < map.size {
            let host = map.host_id.saturating_add(done);
            let line = own.iter().find(|line| host.checked_sub(line.host_id).is_some_and(|offset| offset < line.size));
            let line = line.ok_or_else(|| {
                Failure::because("mount", format!("{kind} {host} is not an id of the container's namespace"))
                    .errno(Errno::PERM)
            })?;
            let offset = host - line.host_id;
            let size = (line.size - offset).min(map.size - done);
            pieces.push(IdMapping { container_id: map.container_id + done, host_id: line.container_id + offset, size });
            done += size;
        }
    }
    Ok(pieces)
}

/// A user namespace below this one, with nobody in it. Its maps are reached through the new process's own folder of /proc, whose name
/// is not known in a new pid namespace.
fn make(uid: &[IdMapping], gid: &[IdMapping]) -> Step<OwnedFd> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .during("mount", "socketpair")?;
    match process::clone(libc::CLONE_NEWUSER, None).during("clone", "user")? {
        Forked::Child => {
            drop(ours);
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            if let Ok(own) = rustix::fs::open("/proc/self", flags, Mode::empty()) {
                let _ = socket::send(&theirs, b"p", Some(own.as_fd()));
            }
            // Until the other end is closed.
            let _ = socket::receive(&theirs, &mut [0; 8]);
            process::exit_now(0)
        }
        Forked::Parent(holder) => {
            drop(theirs);
            let made = write_maps(&ours, uid, gid);
            drop(ours);
            let _ = process::wait_for(holder.pid);
            made
        }
    }
}

fn write_maps(holder: &OwnedFd, uid: &[IdMapping], gid: &[IdMapping]) -> Step<OwnedFd> {
    let (_, folder) = socket::receive(holder, &mut [0; 8]).during("map-ids", "/proc/self")?;
    let folder = folder.ok_or_else(|| Failure::because("map-ids", "no process to map ids for"))?;
    for (name, list) in [("uid_map", uid), ("gid_map", gid)] {
        let lines: String =
            list.iter().map(|map| format!("{} {} {}\n", map.container_id, map.host_id, map.size)).collect();
        let file = openat(&folder, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).during("map-ids", name)?;
        rustix::io::write(&file, lines.as_bytes()).during("map-ids", name)?;
    }
    openat(&folder, "ns/user", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("map-ids", "user namespace")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(container_id: u32, host_id: u32, size: u32) -> IdMapping {
        IdMapping { container_id, host_id, size }
    }

    #[test]
    fn ids_of_the_host_are_named_as_the_container_knows_them() {
        let own = [map(0, 1000, 1), map(1, 100_000, 65536)];
        assert_eq!(to_own(&[map(0, 100_005, 3)], &own, "uid").unwrap(), [map(0, 6, 3)]);
        assert_eq!(to_own(&[map(7, 1000, 1)], &own, "uid").unwrap(), [map(7, 0, 1)]);
        assert!(to_own(&[map(0, 1000, 2)], &own, "uid").is_err());
        let split = [map(0, 50, 2), map(9, 52, 4)];
        assert_eq!(to_own(&[map(0, 51, 3)], &split, "uid").unwrap(), [map(0, 1, 1), map(1, 9, 2)]);
    }

    #[test]
    fn relative_mappings_begin_at_the_containers_ids() {
        let own = [map(0, 0, 1), map(1, 2, 1000)];
        let ids = MountIds {
            recursive: false,
            uid: vec![map(1, 3, 10)],
            gid: vec![map(1, 3, 10)],
            relative_uid: vec![true],
            relative_gid: vec![false],
        };
        let (uid, gid) = absolute(&ids, &own, &own).unwrap();
        assert_eq!((uid[0].host_id, gid[0].host_id), (4, 3));
    }
}
