//! What a launch needs of networks before its first process: the user namespace below H, or the one of another container.

use super::{below, path, Member, STEP};
use crate::failure::{Failure, Step};
use crate::launch::LaunchOptions;
use crate::plan::Plan;
use crate::state::Saved;
use crate::userns::{self, IdMap};
use rootless_core::lower::namespaces::CLONE_NEWNET;
use rootless_core::lower::networks::{self, Networks};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::rc::Rc;

/// Fills in what the annotations ask for; what an earlier life or the command line has made already is used.
pub fn prepare(plan: &mut Plan, options: &mut LaunchOptions) -> Step<()> {
    if let Some(other) = plan.annotations.join.clone() {
        return join_container(plan, options, &other);
    }
    let Some(networks) = &plan.annotations.networks else {
        served_early(plan, options);
        return path::prepare(plan, options);
    };
    let needs = |kind: &str| {
        Failure::because("config", format!("networks need a new namespace of type {kind:?}")).on("$.linux.namespaces")
    };
    if plan.namespaces.new & CLONE_NEWNET == 0 {
        return Err(needs("network"));
    }
    if options.network.is_none() {
        // One that was made before the networks were known is not below H.
        (options.userns, options.uplink, options.netns) = (None, None, None);
    }
    let member = connect(networks, options)?;
    served_early(plan, options);
    match &member.userns {
        Some(_) if !plan.new_user_namespace() => Err(needs("user")),
        Some(holder) if options.userns.is_none() => {
            options.userns = Some(below::prepare(holder, &plan.id_map)?);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A namespace that is served already is joined.
fn served_early(plan: &mut Plan, options: &LaunchOptions) {
    if options.netns.is_some() {
        plan.namespaces.new &= !CLONE_NEWNET;
    }
}

/// `--networks`: what has to be known of them before the bundle is.
pub fn place(json: &str) -> Step<Networks> {
    let mut place: serde_json::Value =
        serde_json::from_str(json).map_err(|error| Failure::because("args", error.to_string()).on("--networks"))?;
    place["attach"] = serde_json::json!([]);
    networks::parse(&place.to_string()).map_err(|reason| Failure::because("args", reason).on("--networks"))
}

/// The user namespace of a container whose bundle is still written.
pub fn early(networks: &Networks, map: &IdMap, options: &mut LaunchOptions) -> Step<OwnedFd> {
    match &connect(networks, options)?.userns {
        Some(holder) => below::prepare(holder, map),
        None => userns::prepare(map),
    }
}

fn connect(networks: &Networks, options: &mut LaunchOptions) -> Step<Rc<Member>> {
    let member = match options.network.take() {
        Some(member) => member,
        None => Rc::new(Member::join(networks)?),
    };
    Ok(options.network.insert(member).clone())
}

/// `io.rootless.join`: the namespaces of a container that runs now, whichever process it has.
fn join_container(plan: &mut Plan, options: &mut LaunchOptions, id: &str) -> Step<()> {
    let gone = |_| Failure::new(STEP).errno(Errno::SRCH).on(id);
    let other = Saved::read(&options.root, id).map_err(gone)?;
    let namespace = |kind: &str| -> Step<OwnedFd> { userns::open_namespace(other.pid, kind).map_err(gone) };
    if plan.new_user_namespace() {
        options.userns = Some(namespace("user")?);
    }
    options.netns = Some(namespace("net")?);
    plan.namespaces.new &= !CLONE_NEWNET;
    plan.namespaces.join.retain(|(flag, _)| *flag != CLONE_NEWNET);
    // They were those of this number's owner.
    other.open().map(drop).map_err(gone)
}
