//! Questions by TCP: a length, a message, the same back; several one after the other, none for long.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{acceptfrom_with, recv, send, RecvFlags, SendFlags, SocketFlags};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Without a whole question, or without reading the answer.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST: usize = 256;
const MOST_FOR_ONE: usize = 16;
/// A question with all its extensions is far shorter.
const LONGEST: usize = 4 << 10;

pub struct Stream {
    pub number: u64,
    pub peer: IpAddr,
    socket: OwnedFd,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// Its question is on its way.
    waits: bool,
    gone: bool,
    due: Instant,
}

#[derive(Default)]
pub struct Streams {
    list: Vec<Stream>,
    count: u64,
}

impl Streams {
    /// Takes who waits; `may_ask` knows the containers.
    pub fn accept(&mut self, listener: &OwnedFd, may_ask: impl Fn(IpAddr) -> bool) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Ok((socket, address)) = acceptfrom_with(listener, flags) {
            let address: Option<SocketAddr> = address.and_then(|address| address.try_into().ok());
            let Some(peer) = address.map(|address| address.ip()).filter(|ip| may_ask(*ip)) else { continue };
            let of_peer = self.list.iter().filter(|stream| stream.peer == peer).count();
            if self.list.len() >= MOST || of_peer >= MOST_FOR_ONE {
                continue;
            }
            self.count += 1;
            let (number, due) = (self.count, Instant::now() + PATIENCE);
            let (inbox, outbox) = (Vec::new(), Vec::new());
            self.list.push(Stream { number, peer, socket, inbox, outbox, waits: false, gone: false, due });
        }
    }

    /// To be watched: the socket, whether it is read, and whether it has something to send.
    pub fn sockets(&self) -> impl Iterator<Item = (&OwnedFd, bool, bool)> {
        self.list.iter().map(|stream| (&stream.socket, !stream.waits, !stream.outbox.is_empty()))
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.list.iter().map(|stream| stream.due).min()
    }

    /// After a poll, `ready` in the order of `sockets`: whole questions, each with the number of its stream.
    pub fn hear(&mut self, ready: &[bool]) -> Vec<(u64, IpAddr, Vec<u8>)> {
        let now = Instant::now();
        let mut heard = Vec::new();
        for (at, stream) in self.list.iter_mut().enumerate() {
            if ready.get(at) == Some(&true) {
                stream.flush();
                stream.read();
            }
            if let Some(question) = stream.question() {
                heard.push((stream.number, stream.peer, question));
            }
            stream.gone |= stream.due <= now;
        }
        self.list.retain(|stream| !stream.gone);
        heard
    }

    pub fn answer(&mut self, number: u64, bytes: &[u8]) {
        let Some(stream) = self.list.iter_mut().find(|stream| stream.number == number) else { return };
        let Ok(length) = u16::try_from(bytes.len()) else { return };
        stream.outbox.extend_from_slice(&length.to_be_bytes());
        stream.outbox.extend_from_slice(bytes);
        (stream.waits, stream.due) = (false, Instant::now() + PATIENCE);
        stream.flush();
    }
}

impl Stream {
    fn read(&mut self) {
        if self.waits {
            return;
        }
        let mut buffer = [0; LONGEST];
        match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
            Ok((0, _)) => self.gone = self.outbox.is_empty(),
            Ok((got, _)) => self.inbox.extend_from_slice(&buffer[..got]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.gone = true,
        }
    }

    fn flush(&mut self) {
        if self.outbox.is_empty() {
            return;
        }
        match send(&self.socket, &self.outbox, SendFlags::NOSIGNAL) {
            Ok(sent) => drop(self.outbox.drain(..sent)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.gone = true,
        }
    }

    /// The next one, when the one before was answered and read.
    fn question(&mut self) -> Option<Vec<u8>> {
        if self.waits || !self.outbox.is_empty() {
            return None;
        }
        let length = usize::from(u16::from_be_bytes(*self.inbox.first_chunk()?));
        if length > LONGEST {
            self.gone = true;
            return None;
        }
        let question = self.inbox.get(2..2 + length)?.to_vec();
        self.inbox.drain(..2 + length);
        (self.waits, self.due) = (true, Instant::now() + PATIENCE);
        Some(question)
    }
}
