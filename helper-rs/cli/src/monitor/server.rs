//! The monitor's socket: `ROOT/ID/monitor`, for processes of the same user.

use super::client::Client;
use crate::failure::{During, Step};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    accept_with, bind, listen, socket_with, sockopt::socket_peercred, AddressFamily, SocketAddrUnix, SocketFlags,
    SocketType,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// More wait in the kernel's queue.
const MOST_CLIENTS: usize = 256;
/// Descriptors come back when clients and programs go.
const PATIENCE: Duration = Duration::from_millis(100);
const NAME: &str = "monitor";

pub struct Server {
    listener: Option<OwnedFd>,
    /// There was no room for another descriptor: nobody is let in until then.
    full_until: Option<Instant>,
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
        Ok(Server { listener: Some(bound.during("state", &at)?), full_until: None, clients: Vec::new() })
    }

    pub fn listener(&self) -> Option<&OwnedFd> {
        let full = self.clients.len() >= MOST_CLIENTS || self.deadline().is_some_and(|at| at > Instant::now());
        self.listener.as_ref().filter(|_| !full)
    }

    /// When the next may come in.
    pub fn deadline(&self) -> Option<Instant> {
        self.full_until
    }

    /// Takes who waits. The folder is closed to other users; who comes all the same is not answered.
    pub fn accept(&mut self) {
        let own = rustix::process::geteuid();
        self.full_until = None;
        while let Some(listener) = self.listener() {
            let socket = match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => socket,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.full_until = Some(Instant::now() + PATIENCE);
                    return;
                }
                Err(_) => return,
            };
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

fn bound() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = SocketAddrUnix::new(NAME).and_then(|address| bind(&socket, &address));
    rustix::process::umask(mask);
    bound?;
    listen(&socket, 128)?;
    Ok(socket)
}
