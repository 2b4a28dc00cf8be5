//! The holder's socket in the folder of networks, for processes of the same user.

use super::{wire, STEP};
use crate::failure::{During, Step};
use rustix::fd::OwnedFd;
use rustix::fs::Mode;
use rustix::net::{
    accept_with, bind, listen, socket_with, sockopt::socket_peercred, AddressFamily, SocketFlags, SocketType,
};
use std::path::Path;

/// Whoever is here first has the folder's lock: what stands there is a dead holder's.
pub fn open(directory: &Path) -> Step<OwnedFd> {
    let folder = wire::open_folder(directory).during(STEP, directory.display())?;
    let _ = std::fs::remove_file(directory.join(wire::NAME));
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).during(STEP, wire::NAME)?;
    let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = wire::address(&folder).and_then(|address| bind(&socket, &address));
    rustix::process::umask(mask);
    bound.during(STEP, directory.display())?;
    listen(&socket, 128).during(STEP, wire::NAME)?;
    Ok(socket)
}

/// The next who waits, if it is the same user.
pub fn accept(listener: &OwnedFd) -> Option<OwnedFd> {
    let own = rustix::process::geteuid();
    loop {
        let socket = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).ok()?;
        if socket_peercred(&socket).is_ok_and(|peer| peer.uid == own || peer.uid.is_root()) {
            return Some(socket);
        }
    }
}
