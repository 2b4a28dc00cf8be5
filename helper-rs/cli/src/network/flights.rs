//! Questions that others have to answer: sent on to the host's resolvers, one after the other, and their answers brought back.
//!
//! Each has a socket and an id of its own, so that nobody who sees neither can answer in a resolver's place.

use rootless_core::dns::{reply, Query, HEADER, LEAST_UDP, MOST_UDP};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{connect, recv, send, socket_with, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// For one resolver.
const PATIENCE: Duration = Duration::from_secs(2);
/// Asked in turn, from the first again.
const ATTEMPTS: usize = 3;
/// On their way at one time, and for one container.
const MOST: usize = 512;
const MOST_FOR_ONE: usize = 64;

/// Who gets the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// By the holder's UDP socket of this number.
    Udp(usize, SocketAddr),
    /// On the connection of this number.
    Tcp(u64, IpAddr),
}

impl Asker {
    pub fn ip(&self) -> IpAddr {
        match self {
            Asker::Udp(_, address) => address.ip(),
            Asker::Tcp(_, ip) => *ip,
        }
    }
}

pub struct Flight {
    asker: Asker,
    asked: Vec<u8>,
    query: Query,
    resolvers: Vec<SocketAddr>,
    attempt: usize,
    socket: OwnedFd,
    id: u16,
    due: Instant,
    /// By TCP: what is still to be sent, and what has come.
    outbox: Vec<u8>,
    inbox: Vec<u8>,
}

/// What became of one.
enum News {
    None,
    Answer(Vec<u8>),
    /// This resolver has none.
    Nothing,
}

#[derive(Default)]
pub struct Flights {
    list: Vec<Flight>,
    random: RandomState,
    count: u64,
}

impl Flights {
    /// Sends a question on; false if that is not possible.
    pub fn start(&mut self, asker: Asker, asked: &[u8], query: Query, resolvers: Vec<SocketAddr>) -> bool {
        let of_asker = self.list.iter().filter(|flight| flight.asker.ip() == asker.ip()).count();
        if self.list.len() >= MOST || of_asker >= MOST_FOR_ONE {
            return false;
        }
        self.next(asker, asked.to_vec(), query, resolvers, 0)
    }

    fn next(&mut self, asker: Asker, asked: Vec<u8>, query: Query, resolvers: Vec<SocketAddr>, from: usize) -> bool {
        for attempt in from..ATTEMPTS {
            let Some(resolver) = resolvers.get(attempt % resolvers.len().max(1)) else { return false };
            let id = self.new_id();
            let Ok((socket, outbox)) = depart(&asker, &asked, id, *resolver) else { continue };
            let due = Instant::now() + PATIENCE;
            let inbox = Vec::new();
            self.list.push(Flight { asker, asked, query, resolvers, attempt, socket, id, due, outbox, inbox });
            return true;
        }
        false
    }

    fn new_id(&mut self) -> u16 {
        self.count += 1;
        self.random.hash_one(self.count) as u16
    }

    /// To be watched: the socket, and whether it has something to send.
    pub fn sockets(&self) -> impl Iterator<Item = (&OwnedFd, bool)> {
        self.list.iter().map(|flight| (&flight.socket, !flight.outbox.is_empty()))
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.list.iter().map(|flight| flight.due).min()
    }

    /// After a poll, `ready` in the order of `sockets`: answers that have arrived or that never will (then what is passed is a failure).
    pub fn land(&mut self, ready: &[bool]) -> Vec<(Asker, Vec<u8>)> {
        let now = Instant::now();
        let mut landed = Vec::new();
        let all = std::mem::take(&mut self.list);
        for (at, mut flight) in all.into_iter().enumerate() {
            let news = match ready.get(at) {
                Some(true) => flight.look(),
                _ => News::None,
            };
            match news {
                // As resolv.conf(5) has it: another server may know.
                News::Answer(bytes) if !(is_refusal(&bytes) && flight.has_another()) => {
                    landed.push((flight.asker, bytes))
                }
                News::None if flight.due > now => self.list.push(flight),
                News::None | News::Nothing | News::Answer(_) => {
                    let Flight { asker, asked, query, resolvers, attempt, .. } = flight;
                    if !self.next(asker, asked.clone(), query.clone(), resolvers, attempt + 1) {
                        landed.push((asker, failed(&asked, &query)));
                    }
                }
            }
        }
        landed
    }
}

/// SERVFAIL, NOTIMP or REFUSED: says nothing of the name.
fn is_refusal(answer: &[u8]) -> bool {
    answer.get(3).is_some_and(|flags| matches!(flags & 0x0f, 2 | 4 | 5))
}

/// Nobody knows.
pub fn failed(asked: &[u8], query: &Query) -> Vec<u8> {
    reply::write(asked, query, reply::Rcode::Failed, &[], Some(LEAST_UDP))
}

fn depart(asker: &Asker, asked: &[u8], id: u16, resolver: SocketAddr) -> Result<(OwnedFd, Vec<u8>), Errno> {
    let family = if resolver.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let by_tcp = matches!(asker, Asker::Tcp(..));
    let flavour = if by_tcp { SocketType::STREAM } else { SocketType::DGRAM };
    let socket = socket_with(family, flavour, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match connect(&socket, &resolver) {
        Err(Errno::INPROGRESS) if by_tcp => {}
        other => other?,
    }
    let mut bytes = asked.to_vec();
    reply::with_id(&mut bytes, id);
    if !by_tcp {
        send(&socket, &bytes, SendFlags::NOSIGNAL)?;
        return Ok((socket, Vec::new()));
    }
    let length = u16::try_from(bytes.len()).map_err(|_| Errno::MSGSIZE)?.to_be_bytes();
    Ok((socket, length.into_iter().chain(bytes).collect()))
}

impl Flight {
    /// A server that was not asked yet.
    fn has_another(&self) -> bool {
        self.attempt + 1 < self.resolvers.len().min(ATTEMPTS)
    }

    fn look(&mut self) -> News {
        match self.asker {
            Asker::Udp(..) => self.look_at_datagram(),
            Asker::Tcp(..) => self.look_at_stream(),
        }
    }

    fn look_at_datagram(&mut self) -> News {
        let mut buffer = vec![0; 64 << 10];
        match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
            Ok((got, _)) if reply::answers(&buffer[..got], self.id, &self.asked, &self.query) => {
                let room = self.query.udp.unwrap_or(LEAST_UDP).min(MOST_UDP.max(LEAST_UDP));
                let mut answer = match got > room {
                    true => reply::cut(&buffer[..got], &self.query),
                    false => buffer[..got].to_vec(),
                };
                reply::with_id(&mut answer, self.query.id);
                News::Answer(answer)
            }
            // Somebody else's words, or no word at all: the right ones may still come.
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => News::None,
            Err(_) => News::Nothing,
        }
    }

    fn look_at_stream(&mut self) -> News {
        if !self.outbox.is_empty() {
            match send(&self.socket, &self.outbox, SendFlags::NOSIGNAL) {
                Ok(sent) => drop(self.outbox.drain(..sent)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return News::Nothing,
            }
            return News::None;
        }
        let mut buffer = vec![0; 16 << 10];
        match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
            Ok((0, _)) => return News::Nothing,
            Ok((got, _)) => self.inbox.extend_from_slice(&buffer[..got]),
            Err(Errno::AGAIN | Errno::INTR) => return News::None,
            Err(_) => return News::Nothing,
        }
        let Some(length) = self.inbox.first_chunk::<2>().map(|two| usize::from(u16::from_be_bytes(*two))) else {
            return News::None;
        };
        let Some(answer) = self.inbox.get(2..2 + length) else { return News::None };
        if length < HEADER || !reply::answers(answer, self.id, &self.asked, &self.query) {
            return News::Nothing;
        }
        let mut answer = answer.to_vec();
        reply::with_id(&mut answer, self.query.id);
        News::Answer(answer)
    }
}
