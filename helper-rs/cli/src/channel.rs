//! The socket between `launch` (parent) and `init` (child): one message a step, all of them here.
//!
//! ```text
//!   parent                         child
//!     │ ── Mapped ─────────────────▶ │  ids are mapped: become root of the namespace, mount
//!     │ ◀──────────────── Mounted ── │  only if there are prestart or createRuntime hooks
//!     │ ── HooksDone ──────────────▶ │  pivot, mask, drop
//!     │ ◀──── Terminal (+ fd) ────── │  only with a terminal
//!     │ ◀──────────────── Ready ──── │  nothing is left but ids, filter and exec
//!     │ ── Go ─────────────────────▶ │
//!     │ ◀──── Listener (+ fd) ────── │  only if the filter notifies
//!     │ ◀──────────── end of file ── │  the program was executed (the socket is close-on-exec)
//! ```
//!
//! Instead of any of its messages the child may send `Failed`.

use crate::failure::{During, Failure, Step};
use crate::sys::socket;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

/// One end of the channel.
pub struct Channel(OwnedFd);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    Mapped,
    Mounted,
    HooksDone,
    Terminal,
    Ready,
    Go,
    Listener,
    /// The other side closed its end.
    End,
}

const CODES: &[(Message, u8)] = &[
    (Message::Mapped, b'M'),
    (Message::Mounted, b'm'),
    (Message::HooksDone, b'H'),
    (Message::Terminal, b'T'),
    (Message::Ready, b'R'),
    (Message::Go, b'G'),
    (Message::Listener, b'L'),
];
const FAILED: u8 = b'E';

/// Both ends, close-on-exec.
pub fn pair() -> Step<(Channel, Channel)> {
    use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map(|(a, b)| (Channel(a), Channel(b)))
        .during("clone", "socketpair")
}

impl Channel {
    /// From a descriptor that is a connected socket of that type.
    pub fn from_fd(fd: OwnedFd) -> Channel {
        Channel(fd)
    }

    pub fn send(&self, message: Message, fd: Option<BorrowedFd<'_>>) -> Step<()> {
        let code = CODES.iter().find(|(known, _)| *known == message).map_or(0, |(_, code)| *code);
        socket::send(&self.0, &[code], fd).during("init", "channel")
    }

    pub fn send_failure(&self, failure: &Failure) {
        let mut bytes = vec![FAILED];
        bytes.extend_from_slice(failure.pack().as_bytes());
        let _ = socket::send(&self.0, &bytes, None);
    }

    /// The next message; a failure of the other side is the `Err`. When `watch` reports an end of file, the wait is over too.
    pub fn receive(&self, watch: Option<BorrowedFd<'_>>) -> Step<(Message, Option<OwnedFd>)> {
        self.wait(watch)?;
        let mut buffer = [0; 8192];
        let (got, fd) = socket::receive(&self.0, &mut buffer).during("init", "channel")?;
        match buffer.first() {
            _ if got == 0 => Ok((Message::End, None)),
            Some(&FAILED) => Err(Failure::unpack(&buffer[1..got])),
            Some(&code) => match CODES.iter().find(|(_, known)| *known == code) {
                Some((message, _)) => Ok((*message, fd)),
                None => Err(Failure::because("init", format!("unknown message {code}"))),
            },
            None => Ok((Message::End, None)),
        }
    }

    /// Receives exactly this message.
    pub fn expect(&self, wanted: Message, watch: Option<BorrowedFd<'_>>) -> Step<Option<OwnedFd>> {
        match self.receive(watch)? {
            (message, fd) if message == wanted => Ok(fd),
            (Message::End, _) => Err(Failure::because("init", "the container's first process ended early")),
            (message, _) => Err(Failure::because("init", format!("{message:?} where {wanted:?} was due"))),
        }
    }

    /// Fails if the other side is gone already.
    pub fn check_peer(&self) -> Step<()> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).during("init", "poll")?;
        match fds[0].revents().contains(PollFlags::HUP) {
            true => Err(Failure::because("parent", "the launching process is gone")),
            false => Ok(()),
        }
    }

    fn wait(&self, watch: Option<BorrowedFd<'_>>) -> Step<()> {
        let Some(watch) = watch else { return Ok(()) };
        loop {
            let mut fds = [PollFd::new(&self.0, PollFlags::IN), PollFd::from_borrowed_fd(watch, PollFlags::IN)];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                other => other.during("init", "poll")?,
            };
            if !fds[0].revents().is_empty() {
                return Ok(());
            }
            if !fds[1].revents().is_empty() {
                return Err(Failure::because("parent", "the caller is gone"));
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
