//! Bytes that wait to be written, and the ends of the caller that they are written to.

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{fcntl_getfl, fcntl_setfl, fstat, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::termios::isatty;

/// A reader with more than this before it is not given more: the program waits.
pub const ROOM: usize = 64 << 10;
/// What a blocking pipe takes at once whenever poll(2) says that it takes anything (pipe(7), PIPE_BUF).
const SAFE: usize = 4096;

/// First in, first out.
#[derive(Default)]
pub struct Queue {
    bytes: Vec<u8>,
    start: usize,
}

impl Queue {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    pub fn is_full(&self) -> bool {
        self.bytes.len() - self.start >= ROOM
    }

    /// The first bytes are gone. Memory goes back when all are, and is moved together when most are.
    pub fn taken(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            *self = Queue::default();
        } else if self.start >= ROOM {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

/// Only for ends of our own: the caller's streams are shared with its shell and stay blocking.
pub fn unblock(fd: impl AsFd) {
    if let Ok(flags) = fcntl_getfl(&fd) {
        let _ = fcntl_setfl(fd, flags | OFlags::NONBLOCK);
    }
}

/// One of the caller's output streams.
pub struct Outlet {
    fd: OwnedFd,
    way: Way,
    queue: Queue,
}

enum Way {
    /// Writing never blocks.
    Free,
    Socket,
    /// Writing little never blocks once poll(2) says that it is ready.
    Careful,
}

impl Outlet {
    pub fn new(stream: OwnedFd) -> Outlet {
        let kind = fstat(&stream).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let (fd, way) = match kind {
            Ok(FileType::RegularFile) => (stream, Way::Free),
            Ok(FileType::Socket) => (stream, Way::Socket),
            Ok(FileType::Fifo) => opened_again(stream),
            Ok(FileType::CharacterDevice) if isatty(&stream) => opened_again(stream),
            _ => (stream, Way::Careful),
        };
        Outlet { fd, way, queue: Queue::default() }
    }

    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    pub fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// False: nobody reads it any more.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        if self.queue.is_empty() && !matches!(self.way, Way::Careful) {
            match self.attempt(rest) {
                Some(count) => rest = &rest[count..],
                None => return false,
            }
        }
        self.queue.push(rest);
        true
    }

    /// To be called when poll(2) says so. False: nobody reads it any more.
    pub fn flush(&mut self) -> bool {
        match self.attempt(self.queue.waiting()) {
            Some(count) => self.queue.taken(count),
            None => return false,
        }
        true
    }

    fn attempt(&self, bytes: &[u8]) -> Option<usize> {
        let result = match self.way {
            Way::Free => rustix::io::write(&self.fd, bytes),
            Way::Socket => rustix::net::send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Way::Careful => rustix::io::write(&self.fd, &bytes[..bytes.len().min(SAFE)]),
        };
        match result {
            Ok(count) => Some(count),
            Err(Errno::AGAIN | Errno::INTR) => Some(0),
            Err(_) => None,
        }
    }
}

/// A terminal or pipe, opened again without blocking; another user's cannot be.
fn opened_again(stream: OwnedFd) -> (OwnedFd, Way) {
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(format!("/proc/self/fd/{}", stream.as_raw_fd()), flags, Mode::empty()) {
        Ok(own) => (own, Way::Free),
        Err(_) => (stream, Way::Careful),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::{pipe_with, PipeFlags};

    #[test]
    fn bytes_come_out_in_order_and_memory_goes_back() {
        let mut queue = Queue::default();
        let mut out = Vec::new();
        for round in 0..200_u32 {
            queue.push(&vec![round as u8; 1000]);
            let count = queue.waiting().len().min(700);
            out.extend_from_slice(&queue.waiting()[..count]);
            queue.taken(count);
        }
        out.extend_from_slice(queue.waiting());
        queue.taken(queue.waiting().len());
        assert_eq!(out, (0..200_u32).flat_map(|round| vec![round as u8; 1000]).collect::<Vec<_>>());
        assert_eq!(queue.bytes.capacity(), 0);
    }

    #[test]
    fn a_reader_that_stalls_fills_its_queue_and_a_pipe_stays_blocking_for_others() {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let shared = rustix::io::fcntl_dupfd_cloexec(&write, 3).unwrap();
        let mut outlet = Outlet::new(write);
        while !outlet.is_full() {
            assert!(outlet.write(&[7; 10_000]));
        }
        assert!(!fcntl_getfl(&shared).unwrap().contains(OFlags::NONBLOCK));
        drop(read);
        assert!(!outlet.flush());
    }
}
