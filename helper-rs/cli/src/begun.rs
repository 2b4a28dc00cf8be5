//! A user namespace whose maps are still being written, with a network namespace of its own or without: what serves the network needs no
//! ids, and can begin meanwhile.

use crate::failure::{During, Failure, Step};
use crate::sys::net;
use crate::sys::process::{self, Child, Forked};
use crate::userns::{begin_maps, open_namespace, IdMap, Mappers};
use rustix::event::poll;
use rustix::fd::OwnedFd;
use rustix::pipe::{pipe_with, PipeFlags};

pub struct Begun {
    namespace: OwnedFd,
    mappers: Mappers,
    holder: Option<StandIn>,
    network: Network,
}

/// The network namespace of the holder.
enum Network {
    None,
    /// Where the holder says that its loopback is up.
    Rising(OwnedFd),
    Up,
}

/// A process in the container's user and network namespaces, for who wants a number; ended when dropped.
pub struct StandIn {
    pub child: Child,
    /// Another process of ours ends it.
    left: bool,
}

impl StandIn {
    pub fn new(child: Child) -> StandIn {
        StandIn { child, left: false }
    }

    /// In one of two processes that have it since a fork: the other one ends it.
    pub fn leave(mut self) {
        self.left = true;
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        let _ = process::send_signal(&self.child.pidfd, libc::SIGKILL);
        let _ = process::wait_for(self.child.pid);
    }
}

/// `network`: with a network namespace.
pub fn begin(map: &IdMap, network: bool) -> Step<Begun> {
    let (holder, network) = stand(network)?;
    go_on(holder, network, map)
}

/// With namespaces that stand already, whose loopback is up.
pub fn resume(map: &IdMap, holder: StandIn) -> Step<Begun> {
    go_on(holder, Network::Up, map)
}

fn go_on(holder: StandIn, network: Network, map: &IdMap) -> Step<Begun> {
    let mappers = begin_maps(holder.child.pid, map)?;
    let namespace = open_namespace(holder.child.pid, "user")?;
    Ok(Begun { namespace, mappers, holder: Some(holder), network })
}

/// A process in a user namespace without ids, with a network namespace of which the loopback is up.
pub fn stand_alone() -> Step<StandIn> {
    match stand(true)? {
        (holder, Network::Rising(says)) => risen(&says).map(|()| holder),
        (holder, _) => Ok(holder),
    }
}

fn stand(network: bool) -> Step<(StandIn, Network)> {
    let parent = rustix::process::getpid();
    let (says, said) = pipe_with(PipeFlags::CLOEXEC).during("clone", "pipe")?;
    let flags = libc::CLONE_NEWUSER | if network { libc::CLONE_NEWNET } else { 0 };
    match process::clone(flags, None).during("clone", if network { "user,network" } else { "user" })? {
        Forked::Child => {
            drop(says);
            if network {
                let word = up().map_or_else(|failure| failure.pack().into_bytes(), |()| UP.to_vec());
                let _ = rustix::io::write(&said, &word);
            }
            drop(said);
            // Until it is killed. A pipe to wait at would be held open by other children of the parent.
            while rustix::process::getppid() == Some(parent) {
                let _ = poll(&mut [], None);
            }
            process::exit_now(0)
        }
        Forked::Parent(child) => {
            drop(said);
            Ok((StandIn::new(child), if network { Network::Rising(says) } else { Network::None }))
        }
    }
}

const UP: &[u8] = b"up";

fn up() -> Step<()> {
    process::die_with_parent().during("init", "pdeathsig")?;
    // Its entry in /proc is the way in for what serves the network.
    process::set_dumpable(true).during("init", "dumpable")?;
    net::loopback_up().during("network", "lo")
}

fn risen(says: &OwnedFd) -> Step<()> {
    let mut word = [0; 4096];
    let got = rustix::io::retry_on_intr(|| rustix::io::read(says, &mut word)).during("network", "namespace")?;
    match &word[..got] {
        UP => Ok(()),
        [] => Err(Failure::because("network", "its first process ended").on("namespace")),
        failure => Err(Failure::unpack(failure)),
    }
}

impl Begun {
    pub fn namespace(&self) -> &OwnedFd {
        &self.namespace
    }

    /// Its network namespace, once, and who stands in it.
    pub fn take_network(&mut self) -> Step<Option<(OwnedFd, StandIn)>> {
        match std::mem::replace(&mut self.network, Network::None) {
            Network::None => return Ok(None),
            Network::Rising(says) => risen(&says)?,
            Network::Up => {}
        }
        let Some(holder) = self.holder.take() else { return Ok(None) };
        Ok(Some((open_namespace(holder.child.pid, "net")?, holder)))
    }

    pub fn finish(self) -> Step<OwnedFd> {
        self.mappers.finish()?;
        Ok(self.namespace)
    }
}
