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
    /// Where the holder says that the network namespace's loopback is up.
    network: Option<OwnedFd>,
}

/// A process in the container's user and network namespaces, for who wants a number; ended when dropped.
pub struct StandIn {
    pub child: Child,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = process::send_signal(&self.child.pidfd, libc::SIGKILL);
        let _ = process::wait_for(self.child.pid);
    }
}

/// `network`: with a network namespace.
pub fn begin(map: &IdMap, network: bool) -> Step<Begun> {
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
            let holder = StandIn { child };
            let mappers = begin_maps(holder.child.pid, map)?;
            let namespace = open_namespace(holder.child.pid, "user")?;
            Ok(Begun { namespace, mappers, holder: Some(holder), network: network.then_some(says) })
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

impl Begun {
    pub fn namespace(&self) -> &OwnedFd {
        &self.namespace
    }

    /// Its network namespace, once, and who stands in it.
    pub fn take_network(&mut self) -> Step<Option<(OwnedFd, StandIn)>> {
        let (Some(says), Some(holder)) = (self.network.take(), self.holder.take()) else { return Ok(None) };
        let mut word = [0; 4096];
        let got = rustix::io::retry_on_intr(|| rustix::io::read(&says, &mut word)).during("network", "namespace")?;
        match &word[..got] {
            UP => Ok(Some((open_namespace(holder.child.pid, "net")?, holder))),
            [] => Err(Failure::because("network", "its first process ended").on("namespace")),
            failure => Err(Failure::unpack(failure)),
        }
    }

    pub fn finish(self) -> Step<OwnedFd> {
        self.mappers.finish()?;
        Ok(self.namespace)
    }
}
