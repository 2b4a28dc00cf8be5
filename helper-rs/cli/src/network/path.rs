//! `ns:PATH`: a network namespace that somebody else made. The kernel lets in who has CAP_SYS_ADMIN in the user namespace that it belongs
//! to; for users those are the ones that they made themselves. So that one is entered first, and the container's ids are ids of it.

use super::{below, STEP};
use crate::failure::{During, Failure, Step};
use crate::launch::LaunchOptions;
use crate::plan::Plan;
use crate::sys::process;
use crate::userns::{self, IdMap};
use rootless_core::lower::namespaces::CLONE_NEWNET;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{fstat, Mode, OFlags};
use rustix::io::Errno;

/// Those with rights in their own namespace (root, an engine in its own) go in as the standard has it.
pub fn prepare(plan: &mut Plan, options: &mut LaunchOptions) -> Step<()> {
    let path = plan.namespaces.join.iter().find(|(flag, _)| *flag == CLONE_NEWNET).map(|(_, path)| path.clone());
    let Some(path) = path else { return Ok(()) };
    if !plan.new_user_namespace() || userns::is_privileged() {
        return Ok(());
    }
    let netns = rustix::fs::open(path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during(STEP, &path)?;
    let owner = owner_of(&netns).map_err(|failure| failure.on(&path))?;
    // A life after the first has its user namespace.
    if options.userns.is_none() {
        let ids = below::maps_of(&owner).map_err(|failure| failure.on(&path))?;
        options.userns = Some(match same(&ids, &plan.id_map) {
            true => rustix::io::fcntl_dupfd_cloexec(&owner, 3).during(STEP, &path)?,
            false => below::prepare(&owner, &plan.id_map).map_err(|_| too_few(&ids).on(&path))?,
        });
    }
    options.above = Some(owner);
    options.netns = Some(netns);
    plan.namespaces.new &= !CLONE_NEWNET;
    plan.namespaces.join.retain(|(flag, _)| *flag != CLONE_NEWNET);
    Ok(())
}

/// The user namespace that it belongs to, if this process may know.
fn owner_of(netns: &OwnedFd) -> Step<OwnedFd> {
    let refused = |reason: &str, errno| Failure::because(STEP, reason).errno(errno);
    let owner = process::owner_of(netns.as_fd()).map_err(|errno| match errno {
        Errno::NOTTY => refused("it is a file, and no namespace where rootless was started", Errno::INVAL),
        Errno::PERM => refused("it belongs to a user namespace above yours", errno),
        other => Failure::new(STEP).errno(other),
    })?;
    let own = rustix::fs::stat("/proc/self/ns/user").during(STEP, "/proc/self/ns/user")?;
    let theirs = fstat(&owner).during(STEP, "user namespace")?;
    match (own.st_dev, own.st_ino) == (theirs.st_dev, theirs.st_ino) {
        true => Err(refused("it belongs to root's own user namespace", Errno::PERM)),
        false => Ok(owner),
    }
}

fn too_few(ids: &IdMap) -> Failure {
    let count: u64 = ids.uid.iter().map(|map| u64::from(map.size)).sum();
    Failure::because(
        STEP,
        format!("the user namespace that it belongs to has other ids than the container ({count} in all)"),
    )
}

fn same(one: &IdMap, other: &IdMap) -> bool {
    let sorted = |list: &[rootless_core::oci::runtime::IdMapping]| {
        let mut lines: Vec<_> = list.iter().map(|map| (map.container_id, map.host_id, map.size)).collect();
        lines.sort_unstable();
        lines
    };
    sorted(&one.uid) == sorted(&other.uid) && sorted(&one.gid) == sorted(&other.gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> IdMap {
        IdMap::parse(&format!(r#"{{"uid":{json},"gid":{json}}}"#)).unwrap()
    }

    #[test]
    fn the_order_of_lines_makes_no_other_map() {
        let one = map(r#"[{"containerID":0,"hostID":1000,"size":1},{"containerID":1,"hostID":100000,"size":9}]"#);
        let other = map(r#"[{"containerID":1,"hostID":100000,"size":9},{"containerID":0,"hostID":1000,"size":1}]"#);
        assert!(same(&one, &other));
        assert!(!same(&one, &map(r#"[{"containerID":0,"hostID":1000,"size":1}]"#)));
        assert!(too_few(&one).message.unwrap().contains("(10 in all)"));
    }

    #[test]
    fn a_file_is_no_namespace() {
        let file = rustix::fs::open("/dev/null", OFlags::RDONLY, Mode::empty()).unwrap();
        assert!(owner_of(&file).is_err());
    }
}
