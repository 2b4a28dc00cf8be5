//! The way out of a container that has no process yet: its network namespace is made, and served, while the bundle is still written.
//!
//! pasta takes up to twenty milliseconds until it serves, most of which is memory that it clears: as long as the command line
//! takes to write the configuration.

use crate::begun::StandIn;
use crate::companion::Companion;
use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Forked};
use crate::sys::{net, socket};
use crate::userns;
use rustix::event::poll;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
use std::path::Path;

/// What serves it, and who stands in the namespaces until it does.
pub struct Uplink {
    pub companion: Companion,
    pub stand_in: StandIn,
}

/// Starts what serves a namespace that stands already.
pub fn serve(argv: &[String], stand_in: StandIn, root: &Path) -> Step<Uplink> {
    let companion = Companion::start(argv, stand_in.child.pid, root)?;
    Ok(Uplink { companion, stand_in })
}

/// Makes a network namespace of this user namespace and starts what serves it; answers both.
pub fn start(argv: &[String], userns: &OwnedFd, root: &Path) -> Step<(Uplink, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .during("network", "socketpair")?;
    match process::fork().during("network", "namespace")? {
        Forked::Child => {
            drop(ours);
            let _ = match make(userns) {
                Ok(netns) => socket::send(&theirs, b"n", Some(netns.as_fd())),
                Err(failure) => socket::send(&theirs, failure.pack().as_bytes(), None),
            };
            // Until it is killed.
            loop {
                let _ = poll(&mut [], None);
            }
        }
        Forked::Parent(child) => {
            drop(theirs);
            let stand_in = StandIn::new(child);
            let mut buffer = [0; 4096];
            let netns = match socket::receive(&ours, &mut buffer).during("network", "namespace")? {
                (_, Some(netns)) => netns,
                (got, None) => return Err(Failure::unpack(&buffer[..got])),
            };
            Ok((serve(argv, stand_in, root)?, netns))
        }
    }
}

fn make(userns: &OwnedFd) -> Step<OwnedFd> {
    process::join(userns.as_fd(), libc::CLONE_NEWUSER).during("clone", "user namespace")?;
    process::unshare(libc::CLONE_NEWNET).during("clone", "network")?;
    net::loopback_up().during("network", "lo")?;
    process::die_with_parent().during("init", "pdeathsig")?;
    // Its entry in /proc is the companion's way in, which the change of rights has closed.
    process::set_dumpable(true).during("init", "dumpable")?;
    userns::open_namespace(i32::try_from(std::process::id()).unwrap_or(0), "net")
}
