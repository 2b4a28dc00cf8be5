//! A container's user namespace below H: the ids of the host that its configuration names become ids of H.

use super::STEP;
use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Forked};
use crate::sys::socket;
use crate::userns::{self, IdMap};
use rootless_core::oci::runtime::IdMapping;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
use rustix::pipe::{pipe_with, PipeFlags};

/// The ids of a user namespace below this process's own, as ids of that.
pub fn maps_of(namespace: &OwnedFd) -> Step<IdMap> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).during(STEP, "pipe")?;
    let Forked::Parent(child) = process::fork().during(STEP, "user namespace")? else {
        drop(read);
        let said = match process::join(namespace.as_fd(), libc::CLONE_NEWUSER) {
            Ok(()) => {
                ["uid", "gid"].map(|kind| std::fs::read_to_string(format!("/proc/self/{kind}_map")).unwrap_or_default())
            }
            Err(_) => Default::default(),
        };
        let _ = rustix::io::write(&write, said.join(";").as_bytes());
        process::exit_now(0)
    };
    drop(write);
    let mut said = String::new();
    // 340 lines, of three numbers each.
    let read = std::io::Read::read_to_string(&mut std::fs::File::from(read), &mut said);
    process::wait_for(child.pid).during(STEP, "user namespace")?;
    read.during(STEP, "user namespace")?;
    match said.split_once(';') {
        Some((uid, gid)) if !uid.is_empty() => Ok(IdMap { uid: extents(uid), gid: extents(gid), ..IdMap::default() }),
        _ => Err(Failure::because(STEP, "it belongs to a user namespace that another user made")
            .errno(rustix::io::Errno::PERM)),
    }
}

/// Makes it, with nobody in it. Root of H writes the maps: no set-uid program is needed.
pub fn prepare(holder: &OwnedFd, map: &IdMap) -> Step<OwnedFd> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .during("clone", "socketpair")?;
    let Forked::Parent(child) = process::fork().during("clone", "user")? else {
        drop(ours);
        let sent = make(holder, map)
            .and_then(|namespace| socket::send(&theirs, b"n", Some(namespace.as_fd())).during("clone", "user"));
        if let Err(failure) = sent {
            let _ = socket::send(&theirs, failure.pack().as_bytes(), None);
        }
        process::exit_now(0)
    };
    drop(theirs);
    let mut buffer = [0; 4096];
    let received = socket::receive(&ours, &mut buffer).during("clone", "user");
    process::wait_for(child.pid).during("clone", "user")?;
    match received? {
        (_, Some(namespace)) => Ok(namespace),
        (got, None) => Err(Failure::unpack(&buffer[..got])),
    }
}

fn make(holder: &OwnedFd, map: &IdMap) -> Step<OwnedFd> {
    process::join(holder.as_fd(), libc::CLONE_NEWUSER).during("clone", "user namespace of the networks")?;
    userns::become_root()?;
    let above = |kind: &str| {
        let file = format!("/proc/self/{kind}_map");
        std::fs::read_to_string(&file).map(|text| extents(&text)).during("map-ids", file)
    };
    let inner = IdMap {
        uid: translate(&map.uid, &above("uid")?, "uid")?,
        gid: translate(&map.gid, &above("gid")?, "gid")?,
        ..IdMap::default()
    };
    let (wait, go) = pipe_with(PipeFlags::CLOEXEC).during("clone", "pipe")?;
    match process::clone(libc::CLONE_NEWUSER, None).during("clone", "user")? {
        Forked::Child => {
            drop(go);
            let _ = rustix::io::read(&wait, &mut [0]);
            process::exit_now(0)
        }
        Forked::Parent(first) => {
            let made = userns::write_maps(first.pid, &inner).and_then(|()| userns::open_namespace(first.pid, "user"));
            drop((wait, go));
            process::wait_for(first.pid).during("clone", "user")?;
            made
        }
    }
}

/// /proc/PID/uid_map, read inside: `inside outside length` on each line.
fn extents(text: &str) -> Vec<IdMapping> {
    let numbers = |line: &str| line.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>();
    let extent = |line| match numbers(line)[..] {
        [container_id, host_id, size] => Some(IdMapping { container_id, host_id, size }),
        _ => None,
    };
    text.lines().filter_map(extent).collect()
}

/// The same ids of the host, said as ids of a namespace above; an extent that reaches over several of that is cut.
fn translate(list: &[IdMapping], above: &[IdMapping], kind: &str) -> Step<Vec<IdMapping>> {
    let mut out = Vec::new();
    for wanted in list {
        let (mut host, mut inside, mut left) = (wanted.host_id, wanted.container_id, wanted.size);
        while left > 0 {
            let found = above.iter().find(|map| host.checked_sub(map.host_id).is_some_and(|at| at < map.size));
            let Some(map) = found else {
                let reason = format!("{kind} {host} of this machine is not among the ids of the running networks");
                return Err(Failure::because("map-ids", reason).on(STEP));
            };
            let at = host - map.host_id;
            let size = left.min(map.size - at);
            out.push(IdMapping { container_id: inside, host_id: map.container_id + at, size });
            left -= size;
            // The last extent may end with the last id of all.
            (host, inside) = (host.wrapping_add(size), inside.wrapping_add(size));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(extents: &[(u32, u32, u32)]) -> Vec<IdMapping> {
        extents.iter().map(|&(container_id, host_id, size)| IdMapping { container_id, host_id, size }).collect()
    }

    #[test]
    fn ids_of_the_host_become_ids_of_the_namespace_above() {
        let above = list(&[(0, 1000, 1), (1, 100_000, 65536), (65537, 300_000, 1000)]);
        let plain = translate(&list(&[(0, 1000, 1), (1, 100_000, 65536)]), &above, "uid").unwrap();
        assert_eq!(plain, list(&[(0, 0, 1), (1, 1, 65536)]));
        let keep =
            translate(&list(&[(0, 100_000, 1000), (1000, 1000, 1), (1001, 101_000, 64536)]), &above, "uid").unwrap();
        assert_eq!(keep, list(&[(0, 1, 1000), (1000, 0, 1), (1001, 1001, 64536)]));
    }

    #[test]
    fn an_extent_over_two_of_the_namespace_above_is_cut() {
        let above = list(&[(0, 1000, 1), (1, 1001, 10), (11, 1011, 5)]);
        let cut = translate(&list(&[(0, 1000, 16)]), &above, "uid").unwrap();
        assert_eq!(cut, list(&[(0, 0, 1), (1, 1, 10), (11, 11, 5)]));
    }

    #[test]
    fn an_id_that_the_namespace_above_has_not_is_named() {
        let above = list(&[(0, 1000, 1)]);
        let failure = translate(&list(&[(0, 1000, 2)]), &above, "gid").unwrap_err();
        assert!(failure.message.unwrap().contains("gid 1001"), "which");
    }

    #[test]
    fn a_map_of_the_kernel_is_read() {
        assert_eq!(
            extents("         0       1000          1\n         1     100000      65536\n"),
            list(&[(0, 1000, 1), (1, 100_000, 65536)])
        );
        assert_eq!(extents("0 0 4294967295\n"), list(&[(0, 0, u32::MAX)]));
    }
}
