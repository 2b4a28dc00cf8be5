//! rtnetlink(7): requests to the kernel's routing socket, written byte by byte, and their acknowledgement.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{recv, send, socket_with, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
pub const REQUEST: u16 = 1;
const ACK: u16 = 4;
pub const DUMP: u16 = 0x300;
pub const EXCL: u16 = 0x200;
pub const CREATE: u16 = 0x400;
const NESTED: u16 = 1 << 15;

/// A request that is being written.
pub struct Message(Vec<u8>);

impl Message {
    /// `body` is the fixed part of the kind: an ifinfomsg, an ifaddrmsg.
    pub fn new(kind: u16, flags: u16, body: &[u8]) -> Message {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        // A dump ends by itself.
        let ack = if flags & DUMP == DUMP { 0 } else { ACK };
        bytes[6..8].copy_from_slice(&(REQUEST | ack | flags).to_ne_bytes());
        bytes.extend_from_slice(body);
        Message(bytes)
    }

    pub fn attribute(mut self, kind: u16, data: &[u8]) -> Message {
        self.open(kind, data);
        self
    }

    pub fn number(self, kind: u16, value: u32) -> Message {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// A name ends with a NUL byte.
    pub fn text(self, kind: u16, value: &str) -> Message {
        let bytes: Vec<u8> = value.bytes().chain([0]).collect();
        self.attribute(kind, &bytes)
    }

    /// Attributes inside of one; `body` stands before them.
    pub fn nest(mut self, kind: u16, body: &[u8], inner: impl FnOnce(Message) -> Message) -> Message {
        let start = self.open(kind | NESTED, body);
        let mut whole = inner(self);
        let length = u16::try_from(whole.0.len() - start).unwrap_or(u16::MAX);
        whole.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        whole
    }

    /// Attributes begin at multiples of four.
    fn open(&mut self, kind: u16, data: &[u8]) -> usize {
        let start = self.0.len();
        let length = u16::try_from(4 + data.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        start
    }

    fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// A routing socket; it belongs to the network namespace in which it was opened, wherever it is used.
pub struct Socket(OwnedFd);

impl Socket {
    pub fn open() -> Result<Socket, Errno> {
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).map(Socket)
    }

    pub fn from_fd(fd: OwnedFd) -> Socket {
        Socket(fd)
    }

    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// Sends a request; the answer is what came before the acknowledgement, each without its header.
    pub fn ask(&self, message: Message) -> Result<Vec<Vec<u8>>, Errno> {
        send(&self.0, &message.finish(), SendFlags::empty())?;
        let mut all = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let (got, _) = rustix::io::retry_on_intr(|| recv(&self.0, &mut buffer, RecvFlags::empty()))?;
            if let Some(result) = collect(&buffer[..got], &mut all) {
                return result.map(|()| all);
            }
        }
    }
}

/// Takes the messages of one datagram apart; `Some` at the end of the whole answer.
fn collect(mut bytes: &[u8], all: &mut Vec<Vec<u8>>) -> Option<Result<(), Errno>> {
    while let Some((head, _)) = bytes.split_at_checked(HEADER) {
        let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(body) = bytes.get(HEADER..length) else { return Some(Err(Errno::BADMSG)) };
        match u16::from_ne_bytes([head[4], head[5]]) {
            ERROR => {
                let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                return Some(if code == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(-code)) });
            }
            DONE => return Some(Ok(())),
            _ => all.push(body.to_vec()),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

/// An attribute of an answer, behind a fixed part of this length.
pub fn find(body: &[u8], fixed: usize, wanted: u16) -> Option<&[u8]> {
    let mut rest = body.get(fixed..)?;
    while let Some(head) = rest.first_chunk::<4>() {
        let (length, kind) =
            (usize::from(u16::from_ne_bytes([head[0], head[1]])), u16::from_ne_bytes([head[2], head[3]]));
        let data = rest.get(4..length)?;
        if kind & !NESTED == wanted {
            return Some(data);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_aligned_and_nested_ones_have_the_length_of_all() {
        let message =
            Message::new(16, CREATE, &[7; 4]).text(3, "ab").nest(18, &[], |inner| inner.number(1, 9)).finish();
        assert_eq!(&message[..4], &40_u32.to_ne_bytes());
        assert_eq!(&message[20..28], [7, 0, 3, 0, b'a', b'b', 0, 0]);
        assert_eq!(&message[28..32], [12, 0, 18, 0x80]);
        assert_eq!(find(&message, 20, 18).map(<[u8]>::len), Some(8));
        assert_eq!(find(&message, 20, 3), Some(&b"ab\0"[..]));
        assert_eq!(find(&message, 20, 4), None);
    }

    #[test]
    fn an_answer_ends_with_its_acknowledgement() {
        let part = |kind: u16, body: &[u8]| {
            let length = (HEADER + body.len()) as u32;
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
        };
        let mut all = Vec::new();
        assert_eq!(collect(&part(16, &[1, 2, 3, 4]), &mut all), None);
        assert_eq!(collect(&part(ERROR, &0_i32.to_ne_bytes()), &mut all), Some(Ok(())));
        assert_eq!(all, [[1, 2, 3, 4]]);
        assert_eq!(collect(&part(ERROR, &(-17_i32).to_ne_bytes()), &mut all), Some(Err(Errno::EXIST)));
        assert_eq!(collect(&[200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &mut all), Some(Err(Errno::BADMSG)));
    }
}
