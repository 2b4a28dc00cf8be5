//! Bytes between the caller's streams and the container's terminal, none lost, none blocking.

use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{fcntl_getfl, fcntl_setfl, OFlags};
use rustix::io::Errno;

const ROOM: usize = 32 << 10;

/// One direction: what was read and not written yet.
struct Pipe {
    buffer: Vec<u8>,
    /// Nothing more to read.
    done: bool,
}

impl Pipe {
    fn wants_input(&self) -> bool {
        !self.done && self.buffer.is_empty()
    }
}

/// Both directions of a terminal.
pub struct Relay<'a> {
    master: &'a OwnedFd,
    input: Pipe,
    output: Pipe,
}

impl<'a> Relay<'a> {
    pub fn new(master: &'a OwnedFd) -> Relay<'a> {
        // Only the master: the caller's own streams are shared with its shell and stay blocking.
        if let Ok(flags) = fcntl_getfl(master) {
            let _ = fcntl_setfl(master, flags | OFlags::NONBLOCK);
        }
        let pipe = || Pipe { buffer: Vec::new(), done: false };
        Relay { master, input: pipe(), output: pipe() }
    }

    /// What to wait for: the master, then stdin if more can be taken from it.
    pub fn interests<'f>(&self, fds: &mut Vec<PollFd<'f>>)
    where
        'a: 'f,
    {
        let mut events = PollFlags::IN;
        if !self.input.buffer.is_empty() {
            events |= PollFlags::OUT;
        }
        if !self.output.done {
            fds.push(PollFd::new(self.master, events));
        }
        if self.input.wants_input() {
            fds.push(PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN));
        }
    }

    /// Moves what can be moved now; `fired` is in the order of `interests`.
    pub fn pump(&mut self, fired: &[PollFlags]) {
        let at_stdin = usize::from(!self.output.done);
        if self.input.wants_input() && fired.get(at_stdin).is_some_and(|flags| !flags.is_empty()) {
            fill(&mut self.input, rustix::stdio::stdin());
        }
        if !self.input.buffer.is_empty() {
            flush_some(&mut self.input, self.master.as_fd());
        }
        if at_stdin == 1
            && fired.first().is_some_and(|flags| flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR))
        {
            fill(&mut self.output, self.master.as_fd());
            flush(&mut self.output, rustix::stdio::stdout());
        }
    }

    /// After the container's end: the rest of its output.
    pub fn drain(&mut self) {
        while !self.output.done {
            fill(&mut self.output, self.master.as_fd());
            if self.output.buffer.is_empty() {
                return;
            }
            flush(&mut self.output, rustix::stdio::stdout());
        }
    }
}

fn fill(pipe: &mut Pipe, from: BorrowedFd<'_>) {
    let mut buffer = [0; ROOM];
    match rustix::io::read(from, &mut buffer) {
        // A terminal answers EIO when its last user is gone.
        Ok(0) | Err(Errno::IO) => pipe.done = true,
        Ok(got) => pipe.buffer.extend_from_slice(&buffer[..got]),
        Err(Errno::AGAIN | Errno::INTR) => {}
        Err(_) => pipe.done = true,
    }
}

/// Writes as much as the other side takes now.
fn flush_some(pipe: &mut Pipe, to: BorrowedFd<'_>) {
    match rustix::io::write(to, &pipe.buffer) {
        Ok(written) => drop(pipe.buffer.drain(..written)),
        Err(Errno::AGAIN | Errno::INTR) => {}
        Err(_) => pipe.buffer.clear(),
    }
}

/// Writes all, waiting where the other side is full; a reader that is gone takes nothing more.
fn flush(pipe: &mut Pipe, to: BorrowedFd<'_>) {
    while !pipe.buffer.is_empty() {
        match rustix::io::write(to, &pipe.buffer) {
            Ok(written) => drop(pipe.buffer.drain(..written)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = rustix::event::poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None);
            }
            Err(_) => pipe.buffer.clear(),
        }
    }
}
