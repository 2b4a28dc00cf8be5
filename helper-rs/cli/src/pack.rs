//! A container's changes, found from its bundle: where its own files are, and what lies below them.

use crate::failure::{During, Failure, Step};
use crate::layers::pack::{Layers, Means, Scope, STEP};
use crate::plan::Plan;
use crate::userns;
use rootless_core::lower::annotations::{Copy, Rootfs};
use rootless_core::tar::clean;
use rustix::fs::{open, Mode, OFlags};
use std::os::fd::OwnedFd;
use std::path::Path;

/// A container's own files and the layers under them, open, seen with the container's ids.
pub struct Changes {
    pub top: OwnedFd,
    pub lowers: Layers,
    pub scope: Scope,
    pub single_id: bool,
}

/// Opens everything as the caller, then enters the container's mapping. `below`: the layers of a root filesystem that is a copy of
/// them, where the bundle does not say so any more.
pub fn enter(plan: &Plan, below: Option<&Copy>) -> Step<Changes> {
    let (base, lower, top, means) = match &plan.annotations.rootfs {
        Rootfs::Plain if below.is_some_and(|below| !below.lower.is_empty()) => {
            let Copy { base, lower } = below.cloned().unwrap_or_default();
            (base, lower, plan.rootfs.clone(), Means::Compare)
        }
        Rootfs::Overlay(overlay) => {
            let upper = overlay.upper.as_ref().filter(|_| !overlay.tmpfs);
            let upper = upper.ok_or_else(|| Failure::because(STEP, "its changes are in memory only"))?;
            (overlay.base.clone(), overlay.lower.clone(), Path::new(&overlay.base).join(upper), Means::Upper)
        }
        Rootfs::Copy(copy) => (copy.base.clone(), copy.lower.clone(), plan.rootfs.clone(), Means::Compare),
        Rootfs::Plain | Rootfs::ReadOnlyBind => {
            return Err(Failure::because(STEP, "it has no layers to compare with"));
        }
    };
    let top = folder(&top)?;
    let lowers = lower.iter().map(|layer| folder(&Path::new(&base).join(layer))).collect::<Step<Layers>>()?;
    if plan.new_user_namespace() {
        userns::enter(&plan.id_map, 0)?;
    }
    let targets = plan.mounts.iter().filter_map(|op| clean(op.target.as_bytes()).ok());
    // Made by the runtime in every container.
    let own = [&b"dev"[..], b"proc", b"sys"].map(<[u8]>::to_vec);
    let mount_points = targets.chain(own).filter(|path| !path.is_empty()).collect();
    Ok(Changes { top, lowers, scope: Scope::new(means, mount_points), single_id: plan.annotations.single_id })
}

fn folder(path: &Path) -> Step<OwnedFd> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).during(STEP, path.display())
}
