//! Bytes between the caller's streams and the container's, none lost, and nobody blocked: a reader that stalls must not keep
//! the monitor from a signal.

use crate::keys::Scanner;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{fcntl_getfl, fcntl_setfl, fstat, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::isatty;

const ROOM: usize = 32 << 10;
/// What a blocking pipe takes at once whenever poll(2) says that it takes anything (pipe(7), PIPE_BUF).
const SAFE: usize = 4096;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// One direction: what was read and not written yet.
pub struct Flow {
    way: Way,
    from: OwnedFd,
    to: OwnedFd,
    buffer: Vec<u8>,
    at_once: usize,
    /// Nothing more to read.
    ended: bool,
    /// The reader is gone: what a terminal still says is thrown away, so that its program is not stopped.
    discards: bool,
    /// Watches for the keys that leave.
    keys: Option<Scanner>,
    left: bool,
    /// Its reader is gone.
    refused: bool,
}

impl Flow {
    /// From the caller's stream to an end of ours.
    pub fn inward(stream: OwnedFd, to: OwnedFd) -> Flow {
        unblock(&to);
        Flow::new(Way::In, stream, to, ROOM)
    }

    /// From an end of ours to the caller's stream.
    pub fn outward(from: OwnedFd, stream: OwnedFd) -> Flow {
        unblock(&from);
        let (to, at_once) = writable(stream);
        Flow::new(Way::Out, from, to, at_once)
    }

    fn new(way: Way, from: OwnedFd, to: OwnedFd, at_once: usize) -> Flow {
        Flow {
            way,
            from,
            to,
            buffer: Vec::new(),
            at_once,
            ended: false,
            discards: false,
            keys: None,
            left: false,
            refused: false,
        }
    }

    /// These keys end the flow.
    pub fn until_keys(mut self, keys: Scanner) -> Flow {
        self.keys = Some(keys);
        self
    }

    /// The keys came.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// Nobody takes what comes any more.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// What it waits for now.
    pub fn interest(&self) -> PollFd<'_> {
        match self.buffer.is_empty() {
            true => PollFd::new(&self.from, PollFlags::IN),
            false => PollFd::new(&self.to, PollFlags::OUT),
        }
    }

    /// Moves what can be moved; to be called when `interest` came true.
    pub fn pump(&mut self) {
        match self.buffer.is_empty() {
            true => self.fill(),
            false => self.flush(),
        }
    }

    pub fn is_over(&self) -> bool {
        self.ended && self.buffer.is_empty()
    }

    pub fn is_outward(&self) -> bool {
        self.way == Way::Out
    }

    /// It has bytes that nobody takes yet.
    pub fn is_stalled(&self) -> bool {
        !self.buffer.is_empty()
    }

    fn fill(&mut self) {
        let mut room = [0; ROOM];
        match rustix::io::read(&self.from, &mut room) {
            Ok(0) => {
                self.ended = true;
                self.buffer.extend(self.keys.as_mut().map(Scanner::rest).unwrap_or_default());
            }
            Ok(_) if self.discards => {}
            Ok(got) => match &mut self.keys {
                None => self.buffer.extend_from_slice(&room[..got]),
                Some(keys) => {
                    self.left = keys.feed(&room[..got], &mut self.buffer);
                    self.ended = self.left;
                }
            },
            Err(Errno::AGAIN | Errno::INTR) => {}
            // A terminal answers EIO when its last user is gone.
            Err(_) => self.ended = true,
        }
    }

    fn flush(&mut self) {
        let most = self.buffer.len().min(self.at_once);
        match rustix::io::write(&self.to, &self.buffer[..most]) {
            Ok(written) => drop(self.buffer.drain(..written)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                self.buffer.clear();
                self.refused = true;
                self.discards = isatty(&self.from) || is_master(&self.from);
                self.ended = !self.discards;
            }
        }
    }
}

fn is_master(fd: &OwnedFd) -> bool {
    rustix::pty::ptsname(fd, Vec::new()).is_ok()
}

/// Only for ends of our own: the caller's streams are shared with its shell and stay blocking.
fn unblock(fd: &OwnedFd) {
    if let Ok(flags) = fcntl_getfl(fd) {
        let _ = fcntl_setfl(fd, flags | OFlags::NONBLOCK);
    }
}

/// The caller's stream, and how much may be written to it at once: a terminal or a pipe is opened again, without blocking, where that
/// is allowed; files never block; anything else takes a little.
fn writable(stream: OwnedFd) -> (OwnedFd, usize) {
    let kind = fstat(&stream).map(|stat| FileType::from_raw_mode(stat.st_mode));
    match kind {
        Ok(FileType::RegularFile) => return (stream, ROOM),
        Ok(FileType::Fifo) => {}
        _ if isatty(&stream) => {}
        _ => return (stream, SAFE),
    }
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(format!("/proc/self/fd/{}", stream.as_raw_fd()), flags, Mode::empty()) {
        Ok(own) => (own, ROOM),
        Err(_) => (stream, SAFE),
    }
}
