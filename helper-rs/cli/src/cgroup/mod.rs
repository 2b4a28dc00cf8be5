//! cgroup v2: a folder for the container, its limits, and its end. Which subtree is ours is decided by the caller; systemd is asked for one
//! where it says so.

mod end;
mod limits;
pub mod scope;
pub mod stats;
mod tree;

pub use end::{freeze, is_frozen, processes, remove, signal_all};
pub use limits::{update, was_oom_killed};
pub use tree::{for_new, may_move};

use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use rootless_core::lower::resources::{self, Write};
use rootless_core::oci::resources::Resources;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::path::{Path, PathBuf};

pub const MOUNT: &str = "/sys/fs/cgroup";
const CGROUP2_MAGIC: rustix::fs::FsWord = 0x6367_7270;

/// How `cgroupsPath` is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manager {
    /// A folder.
    #[default]
    Folders,
    /// `SLICE:PREFIX:NAME`, a scope of systemd, with the container alone in it.
    Systemd,
    /// Either, by its form; and in a scope this process goes along: it stands beside the container's folder.
    Together,
}

/// A cgroup that was made for one container, and that its first process is to be born in.
pub struct Cgroup {
    pub path: PathBuf,
    pub fd: OwnedFd,
}

/// Where the container will be.
pub enum Place {
    /// Where this process is.
    Here,
    Folder(Cgroup),
    /// A process that goes there first has to make it.
    Scope,
}

/// Makes the folder and sets its limits, or leaves that to `scope::enter`. On a host without a pure cgroup v2 tree a path alone is
/// ignored, and limits are refused. `claimed` hears of the folder before it is made.
pub fn make(plan: &Plan, manager: Manager, claimed: impl FnOnce(&Path) -> Step<()>) -> Step<Place> {
    let writes = writes(plan.linux.resources.as_ref())?;
    if !is_unified() {
        return match writes.iter().find(|write| !write.is_optional) {
            None => Ok(Place::Here),
            Some(write) => {
                Err(Failure::because("cgroup", "limits need cgroup v2 alone at /sys/fs/cgroup").on(&write.file))
            }
        };
    }
    let is_limited = writes.iter().any(|write| !write.is_optional);
    let path = plan.linux.cgroups_path.as_deref().unwrap_or_default();
    let is_scope = !path.starts_with('/') && path.contains(':');
    // Without limits a cgroup is good to have, and no reason to fail; where somebody named a folder or a manager, it is.
    let is_unnamed = path.is_empty() && !is_limited;
    let is_luxury = is_unnamed || !is_limited && !is_writable(plan) && (manager == Manager::Folders || is_scope);
    let folder = match manager {
        Manager::Systemd => return Ok(Place::Scope),
        Manager::Together if is_scope && plan.annotations.apart => return Ok(Place::Scope),
        Manager::Together if is_scope => match scope::enter_beside(plan) {
            Err(_) if is_luxury => return Ok(Place::Here),
            other => other?,
        },
        // As with crun an engine's container has one always, where that is to be had: `pause`, `stats` and `update` need it.
        Manager::Together | Manager::Folders => {
            match tree::folder_of(path, &plan.id, is_limited || manager == Manager::Folders) {
                Ok(Some(folder)) => folder,
                Ok(None) => return Ok(Place::Here),
                Err(_) if is_unnamed => return Ok(Place::Here),
                Err(failure) => return Err(failure),
            }
        }
    };
    let is_new = tree::claim(&folder)?;
    claimed(&folder)?;
    match tree::make(&folder, &writes).and_then(|()| opened(plan, &folder, &writes)) {
        Ok(cgroup) => Ok(Place::Folder(cgroup)),
        Err(failure) => {
            if is_new {
                // Nobody is in it yet.
                let _ = std::fs::remove_dir(&folder);
            }
            match is_luxury {
                true => Ok(Place::Here),
                false => Err(failure),
            }
        }
    }
}

fn opened(plan: &Plan, folder: &Path, writes: &[Write]) -> Step<Cgroup> {
    may_move(folder)?;
    limits::apply(folder, writes)?;
    if is_writable(plan) {
        tree::give(folder, &plan.id_map)?;
    }
    Ok(Cgroup { path: folder.to_path_buf(), fd: open(folder)? })
}

/// The container may divide its cgroup itself.
fn is_writable(plan: &Plan) -> bool {
    let mounts =
        plan.spec.mounts.iter().filter(|mount| mount.kind.as_deref().is_some_and(|kind| kind.starts_with("cgroup")));
    plan.new_user_namespace() && mounts.into_iter().any(|mount| !mount.options.iter().any(|option| option == "ro"))
}

pub fn open(folder: &Path) -> Step<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty()).during("cgroup", folder.display())
}

/// The whole tree is v2; in a hybrid set-up v2 is elsewhere and has no controllers.
pub fn is_unified() -> bool {
    rustix::fs::statfs(MOUNT).is_ok_and(|fs| fs.f_type == CGROUP2_MAGIC)
}

/// Limits as files, or what of them cgroup v2 has not.
fn writes(resources: Option<&Resources>) -> Step<Vec<Write>> {
    let lowered = resources.map(resources::lower).transpose();
    lowered
        .map(Option::unwrap_or_default)
        .map_err(|refused| Failure::because("cgroup", refused.reason).on(refused.field))
}
