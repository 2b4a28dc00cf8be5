//! The container's own ends: what it says goes to the log and to whoever listens, what is typed goes to it. Nothing is lost: when a
//! listener has no room, nothing is read, and the program waits.

use super::queue::{unblock, Queue, ROOM};
use crate::failure::{During, Failure, Step};
use crate::log::{Log, Stream};
use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{fcntl_dupfd_cloexec, Errno};
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::termios::{tcsetwinsize, Winsize};

pub struct Hub {
    sources: [Option<OwnedFd>; 2],
    input: Option<Input>,
    terminal: Option<OwnedFd>,
    log: Log,
    /// Lent to whoever reads; given back when the container is quiet.
    block: Vec<u8>,
    /// The log cannot go on, and the container may not without it.
    pub broken: Option<Failure>,
}

struct Input {
    fd: OwnedFd,
    queue: Queue,
    /// Closed when all was written.
    ends: bool,
}

/// The container's 0, 1 and 2.
pub type Ends = [Option<OwnedFd>; 3];

impl Hub {
    pub fn new(log: Log) -> Hub {
        Hub { sources: [None, None], input: None, terminal: None, log, block: Vec::new(), broken: None }
    }

    /// Pipes for a program without a terminal; its ends are for the launch.
    pub fn connect(&mut self, input_stays: bool) -> Step<Ends> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).during("console", "pipe");
        let ((out, out_end), (err, err_end)) = (pipe()?, pipe()?);
        let stdin = match input_stays {
            true => {
                let (end, input) = pipe()?;
                self.input = Some(Input::new(input));
                end
            }
            false => rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .during("console", "/dev/null")?,
        };
        unblock(&out);
        unblock(&err);
        self.sources = [Some(out), Some(err)];
        Ok([Some(stdin), Some(out_end), Some(err_end)])
    }

    /// The terminal that the launch has made.
    pub fn connect_terminal(&mut self, master: OwnedFd) -> Step<()> {
        let copy = || fcntl_dupfd_cloexec(&master, 3).during("console", "terminal");
        unblock(&master);
        self.sources = [Some(copy()?), None];
        self.input = Some(Input::new(copy()?));
        self.terminal = Some(master);
        Ok(())
    }

    /// The program is gone: its input is of no use, its last words are.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    pub fn disconnect(&mut self) {
        (self.sources, self.input, self.terminal) = ([None, None], None, None);
        let closed = self.log.close();
        self.note(closed);
    }

    pub fn source(&self, stream: Stream) -> Option<&OwnedFd> {
        self.sources[stream as usize].as_ref()
    }

    pub fn is_drained(&self) -> bool {
        self.sources.iter().all(Option::is_none)
    }

    pub fn drop_source(&mut self, stream: Stream) {
        // A terminal's program is not stopped because its output has no reader.
        if self.terminal.is_none() {
            self.sources[stream as usize] = None;
        }
    }

    /// Reads what is there, once, and logs it. The block is to be given back.
    pub fn read(&mut self, stream: Stream) -> Option<Vec<u8>> {
        let source = self.sources[stream as usize].as_ref()?;
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        block.reserve(ROOM);
        match rustix::io::read(source, spare_capacity(&mut block)) {
            Ok(got) if got > 0 => {
                let logged = self.log.write(stream, &block);
                self.note(logged);
                return Some(block);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            // A terminal answers EIO when its last user is gone.
            _ => self.sources[stream as usize] = None,
        }
        self.block = block;
        None
    }

    pub fn give_back(&mut self, block: Vec<u8>) {
        self.block = block;
    }

    pub fn release_memory(&mut self) {
        self.block = Vec::new();
    }

    pub fn log_due(&self) -> Option<std::time::Duration> {
        self.log.due()
    }

    pub fn log(&mut self) -> &mut Log {
        &mut self.log
    }

    /// A log that fails and may not is the container's end.
    pub fn note(&mut self, result: Step<()>) {
        if let Err(failure) = result {
            self.broken.get_or_insert(failure);
        }
    }

    /// Once a turn: lines that wait, and what was written since the last one.
    pub fn tend_log(&mut self) {
        let result = match self.log.due() {
            Some(rest) if rest.is_zero() => self.log.tick(),
            _ => self.log.flush(),
        };
        self.note(result);
    }

    /// Where input waits to be written.
    pub fn thirsty(&self) -> Option<&OwnedFd> {
        self.input.as_ref().filter(|input| !input.queue.is_empty()).map(|input| &input.fd)
    }

    /// More input would be taken, or thrown away.
    pub fn takes_input(&self) -> bool {
        self.input.as_ref().is_none_or(|input| !input.queue.is_full())
    }

    pub fn has_input(&self) -> bool {
        self.input.is_some()
    }

    pub fn type_in(&mut self, bytes: &[u8]) {
        if let Some(input) = self.input.as_mut().filter(|input| !input.ends) {
            input.queue.push(bytes);
            self.pour();
        }
    }

    /// No more input will come. A terminal has no end.
    pub fn end_input(&mut self) {
        if self.terminal.is_none() {
            if let Some(input) = &mut self.input {
                input.ends = true;
            }
            self.pour();
        }
    }

    pub fn pour(&mut self) {
        let Some(input) = &mut self.input else { return };
        if !input.pour() || input.ends && input.queue.is_empty() {
            self.input = None;
        }
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        if let Some(terminal) = &self.terminal {
            let _ = tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 });
        }
    }

    pub fn terminal(&self) -> Option<&OwnedFd> {
        self.terminal.as_ref()
    }
}

impl Input {
    fn new(fd: OwnedFd) -> Input {
        unblock(fd.as_fd());
        Input { fd, queue: Queue::default(), ends: false }
    }

    /// False: the program does not read any more.
    fn pour(&mut self) -> bool {
        while !self.queue.is_empty() {
            match rustix::io::write(&self.fd, self.queue.waiting()) {
                Ok(count) => self.queue.taken(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Driver, Facts, LogOptions};
    use std::path::Path;

    fn hub() -> (Hub, Ends) {
        let options = LogOptions { driver: Driver::None, ..LogOptions::default() };
        let facts = Facts { id: "i", name: "n", image: "m", folder: Path::new("/") };
        let mut hub = Hub::new(Log::open(&options, &facts, false).unwrap());
        let ends = hub.connect(true).unwrap();
        (hub, ends)
    }

    fn read(fd: Option<&OwnedFd>) -> Result<Vec<u8>, Errno> {
        let mut block = vec![0; 1 << 20];
        let got = rustix::io::read(fd.unwrap(), &mut block[..])?;
        block.truncate(got);
        Ok(block)
    }

    #[test]
    fn both_streams_are_read_and_closed_one_by_one() {
        let (mut hub, [_stdin, out, err]) = hub();
        rustix::io::write(err.as_ref().unwrap(), b"oops").unwrap();
        assert_eq!(hub.read(Stream::Stdout), None);
        assert_eq!(hub.read(Stream::Stderr).as_deref(), Some(&b"oops"[..]));
        drop(out);
        assert_eq!(hub.read(Stream::Stdout), None);
        assert!(hub.source(Stream::Stdout).is_none() && !hub.is_drained());
        drop(err);
        assert_eq!(hub.read(Stream::Stderr), None);
        assert!(hub.is_drained());
    }

    #[test]
    fn input_waits_for_a_program_that_does_not_read_and_none_of_it_is_lost() {
        let (mut hub, [stdin, _out, _err]) = hub();
        unblock(stdin.as_ref().unwrap());
        let mut typed = Vec::new();
        while hub.takes_input() {
            let block = vec![typed.len() as u8; 10_000];
            hub.type_in(&block);
            typed.extend(block);
        }
        assert!(hub.thirsty().is_some());
        hub.end_input();
        hub.type_in(b"after the end");
        let mut got = Vec::new();
        while got.len() < typed.len() {
            got.extend(read(stdin.as_ref()).unwrap());
            hub.pour();
        }
        assert!(got == typed);
        assert!(!hub.has_input());
        assert_eq!(read(stdin.as_ref()), Ok(Vec::new()));
    }

    #[test]
    fn a_program_that_closes_its_input_is_not_waited_for() {
        let (mut hub, [stdin, _out, _err]) = hub();
        drop(stdin);
        hub.type_in(b"x");
        assert!(!hub.has_input() && hub.takes_input() && hub.thirsty().is_none());
    }
}
