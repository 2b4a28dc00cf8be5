//! One of the caller's streams: what it does not take at once waits, and nobody is blocked.

use crate::relay::writable;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

pub struct Outlet {
    to: OwnedFd,
    at_once: usize,
    buffer: Vec<u8>,
    /// Nobody reads it any more.
    gone: bool,
}

impl Outlet {
    pub fn new(stream: OwnedFd) -> Outlet {
        let (to, at_once) = writable(stream);
        Outlet { to, at_once, buffer: Vec::new(), gone: false }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if !self.gone {
            self.buffer.extend_from_slice(bytes);
        }
    }

    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Without anything to write: only that its reader goes. `None`: it has gone.
    pub fn interest(&self) -> Option<PollFd<'_>> {
        let wanted = if self.buffer.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        (!self.gone).then(|| PollFd::new(&self.to, wanted))
    }

    /// To be called when `interest` came true.
    pub fn pump(&mut self) {
        let most = self.buffer.len().min(self.at_once);
        if most == 0 {
            self.gone = true;
            return;
        }
        match rustix::io::write(&self.to, &self.buffer[..most]) {
            Ok(written) => drop(self.buffer.drain(..written)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                self.buffer.clear();
                self.gone = true;
            }
        }
    }

    pub fn is_gone(&self) -> bool {
        self.gone
    }
}
