//! The monitor's socket: `ROOT/ID/monitor`, for processes of the same user.

use super::client::Client;
use crate::failure::{During, Step};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::net::{
    accept_with, bind, listen, socket_with, sockopt::socket_peercred, AddressFamily, SocketAddrUnix, SocketFlags,
    SocketType,
};
use std::path::Path;

/// More wait in the kernel's queue.
const MOST_CLIENTS: usize = 256;
const NAME: &str = "monitor";

pub struct Server {
    listener: Option<OwnedFd>,
    pub clients: Vec<Client>,
}

impl Server {
    /// Bound by a short relative name: folders may be deeper than a socket address is long.
    pub fn listen(folder: &Path) -> Step<Server> {
        let at = folder.join(NAME);
        let at = at.display();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let before = rustix::fs::open(".", flags, Mode::empty()).during("state", ".")?;
        rustix::process::chdir(folder).during("state", &at)?;
        let bound = bound();
        rustix::process::fchdir(before).during("state", ".")?;
        Ok(Server { listener: Some(bound.during("state", &at)?), clients: Vec::new() })
    }

    pub fn listener(&self) -> Option<&OwnedFd> {
        self.listener.as_ref().filter(|_| self.clients.len() < MOST_CLIENTS)
    }

    /// Takes who waits. The folder is closed to other users; who comes all the same is not answered.
    pub fn accept(&mut self) {
        let own = rustix::process::geteuid();
        while let Some(listener) = self.listener() {
            let Ok(socket) = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) else { return };
            if socket_peercred(&socket).is_ok_and(|peer| peer.uid == own || peer.uid.is_root()) {
                self.clients.push(Client::new(socket));
            }
        }
    }

    /// Nobody else comes in.
    pub fn close(&mut self) {
        self.accept();
        self.listener = None;
    }

    pub fn sweep(&mut self) {
        self.clients.retain(|client| !client.is_gone());
    }
}

fn bound() -> Result<OwnedFd, rustix::io::Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = SocketAddrUnix::new(NAME).and_then(|address| bind(&socket, &address));
    rustix::process::umask(mask);
    bound?;
    listen(&socket, 128)?;
    Ok(socket)
}
