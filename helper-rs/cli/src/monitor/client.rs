//! One connection to the monitor: what it asked for, and what it has not read yet.

use super::queue::Queue;
use super::request::{self, header, Frame, Kind, Parsed, Request};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{sendmsg, SendAncillaryBuffer, SendFlags};
use serde_json::Value;
use std::io::IoSlice;
use std::time::{Duration, Instant};

/// A client that asks for nothing is dropped after this time.
const PATIENCE: Duration = Duration::from_secs(10);
const BLOCK: usize = 32 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its next request is read.
    Asking,
    Attached {
        stdin: bool,
    },
    /// For the container's end; `stop` by its own wish.
    Waiting,
    /// For the answer of the exec session with this number.
    Exec(u64),
    /// For the result of a health check.
    Health,
}

pub struct Client {
    socket: OwnedFd,
    inbox: Vec<u8>,
    outbox: Queue,
    pub role: Role,
    /// It says no more, but may still listen.
    deaf: bool,
    /// Closed when it has read everything.
    leaves: bool,
    gone: bool,
    since: Instant,
}

/// What an attached client did.
pub enum Done {
    Input(Vec<u8>),
    Resize(u16, u16),
    EndOfInput,
}

impl Client {
    pub fn new(socket: OwnedFd) -> Client {
        Client {
            socket,
            inbox: Vec::new(),
            outbox: Queue::default(),
            role: Role::Asking,
            deaf: false,
            leaves: false,
            gone: false,
            since: Instant::now(),
        }
    }

    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    pub fn is_gone(&self) -> bool {
        self.gone || self.leaves && self.outbox.is_empty()
    }

    pub fn vanish(&mut self) {
        self.gone = true;
    }

    /// Its bytes are read only when they can be used.
    pub fn listens_to(&self, input_has_room: bool) -> bool {
        !self.deaf && !self.leaves && (input_has_room || !matches!(self.role, Role::Attached { .. }))
    }

    pub fn is_waiting(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.outbox.is_full()
    }

    /// When an idle one loses its place.
    pub fn deadline(&self) -> Option<Instant> {
        (self.role == Role::Asking || self.leaves).then(|| self.since + PATIENCE)
    }

    /// Reads once.
    pub fn receive(&mut self) {
        let mut block = [0; BLOCK];
        match rustix::io::read(&self.socket, &mut block) {
            Ok(0) => self.deaf = true,
            Ok(got) => self.inbox.extend_from_slice(&block[..got]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.gone = true,
        }
    }

    /// The next request of a client that may ask.
    pub fn request(&mut self) -> Option<Result<Request, String>> {
        if self.role != Role::Asking || self.gone || self.leaves {
            return None;
        }
        match request::parse(&self.inbox) {
            Parsed::Whole(request, used) => {
                self.inbox.drain(..used);
                self.since = Instant::now();
                Some(request)
            }
            Parsed::Part => {
                // Nothing whole will ever come.
                self.gone |= self.deaf && self.outbox.is_empty();
                None
            }
            Parsed::Wrong(reason) => {
                self.leaves = true;
                Some(Err(reason.to_string()))
            }
        }
    }

    /// The next frame of an attached client.
    pub fn frame(&mut self) -> Option<Done> {
        if !matches!(self.role, Role::Attached { .. }) || self.gone {
            return None;
        }
        let (done, used) = match request::frame(&self.inbox) {
            Parsed::Whole(Frame::Input(bytes), used) => (Done::Input(bytes.to_vec()), used),
            Parsed::Whole(Frame::Resize { rows, cols }, used) => (Done::Resize(rows, cols), used),
            Parsed::Whole(Frame::EndOfInput, used) => (Done::EndOfInput, used),
            Parsed::Part => {
                // Half a frame, and nothing will follow.
                self.gone |= self.deaf && !self.inbox.is_empty();
                return None;
            }
            Parsed::Wrong(_) => {
                self.gone = true;
                return None;
            }
        };
        self.inbox.drain(..used);
        if self.inbox.is_empty() {
            self.inbox = Vec::new();
        }
        Some(done)
    }

    pub fn answer(&mut self, answer: &Value) {
        self.since = Instant::now();
        self.send(&[format!("{answer}\n").as_bytes()]);
    }

    /// An answer that carries descriptors; the queue has to be empty, else they would go with other bytes.
    pub fn answer_with(&mut self, answer: &Value, fds: &[BorrowedFd<'_>]) {
        self.since = Instant::now();
        let text = format!("{answer}\n");
        if self.outbox.is_empty() && crate::sys::socket::send_all(&self.socket, text.as_bytes(), fds).is_ok() {
            return;
        }
        self.gone = true;
    }

    pub fn output(&mut self, kind: Kind, bytes: &[u8]) {
        self.send(&[&header(kind, bytes.len()), bytes]);
    }

    /// The last it hears.
    pub fn farewell(&mut self, code: u8) {
        let text = format!("{{\"code\":{code}}}");
        self.output(Kind::End, text.as_bytes());
        self.leave();
    }

    pub fn leave(&mut self) {
        self.leaves = true;
        self.since = Instant::now();
    }

    pub fn flush(&mut self) {
        match attempt(&self.socket, &[self.outbox.waiting()]) {
            Some(count) => {
                self.outbox.taken(count);
                if count > 0 {
                    self.since = Instant::now();
                }
            }
            None => self.gone = true,
        }
    }

    fn send(&mut self, parts: &[&[u8]]) {
        if self.gone {
            return;
        }
        let mut sent = 0;
        if self.outbox.is_empty() {
            match attempt(&self.socket, parts) {
                Some(count) => sent = count,
                None => {
                    self.gone = true;
                    return;
                }
            }
        }
        for part in parts {
            let skipped = sent.min(part.len());
            sent -= skipped;
            self.outbox.push(&part[skipped..]);
        }
    }
}

/// How much the socket took; `None`: nobody is there any more.
fn attempt(socket: &OwnedFd, parts: &[&[u8]]) -> Option<usize> {
    let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match sendmsg(socket, &slices, &mut SendAncillaryBuffer::default(), flags) {
        Ok(count) => Some(count),
        Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Some(0),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    fn pair() -> (Client, UnixStream) {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        super::super::queue::unblock(&ours);
        (Client::new(ours), UnixStream::from(theirs))
    }

    #[test]
    fn requests_in_pieces_and_in_pairs_are_read_one_by_one() {
        let (mut client, mut peer) = pair();
        peer.write_all(b"{\"op\":\"wa").unwrap();
        client.receive();
        assert!(client.request().is_none());
        peer.write_all(b"it\"}\n{\"op\":\"pause\"}\n{").unwrap();
        client.receive();
        assert_eq!(client.request(), Some(Ok(Request::Wait)));
        assert_eq!(client.request(), Some(Ok(Request::Pause)));
        assert!(client.request().is_none() && !client.is_gone());
    }

    #[test]
    fn half_a_request_and_then_nothing_is_the_end() {
        let (mut client, mut peer) = pair();
        peer.write_all(b"{\"op\":").unwrap();
        drop(peer);
        client.receive();
        client.receive();
        assert!(client.request().is_none());
        assert!(client.is_gone());
    }

    #[test]
    fn output_is_framed_and_a_slow_reader_gets_all_of_it() {
        let (mut client, mut peer) = pair();
        client.role = Role::Attached { stdin: true };
        let block = [b'x'; 60_000];
        while !client.is_full() {
            client.output(Kind::Stderr, &block);
        }
        client.farewell(7);
        peer.set_nonblocking(true).unwrap();
        let mut got = Vec::new();
        while !client.is_gone() {
            client.flush();
            let mut buffer = [0; 10_000];
            while let Ok(count) = peer.read(&mut buffer) {
                got.extend_from_slice(&buffer[..count]);
            }
        }
        let mut rest = &got[..];
        let mut frames = 0;
        while rest[0] == 2 {
            let length = u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
            assert_eq!(length, block.len());
            rest = &rest[8 + length..];
            frames += 1;
        }
        assert!(frames > 1);
        assert_eq!(rest, [&[3, 0, 0, 0, 0, 0, 0, 10][..], b"{\"code\":7}"].concat());
    }

    #[test]
    fn a_reader_that_is_gone_is_noticed() {
        let (mut client, peer) = pair();
        client.role = Role::Attached { stdin: false };
        drop(peer);
        client.output(Kind::Stdout, b"x");
        assert!(client.is_gone());
    }
}
