//! The caller of a container in the foreground: its streams, its terminal, and the pipe that says that it still lives.

use super::queue::Outlet;
use crate::failure::{During, Step};
use crate::keys::{DetachKeys, Scanner};
use crate::log::Stream;
use crate::terminal::Raw;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{fcntl_dupfd_cloexec, Errno};

const BLOCK: usize = 32 << 10;

pub struct Caller {
    /// Its end of file kills the container.
    pub parent: Option<OwnedFd>,
    stdin: Option<OwnedFd>,
    outlets: [Option<Outlet>; 2],
    /// Only a terminal is left by keys.
    scanner: Option<Scanner>,
    #[expect(dead_code, reason = "restores the terminal when it is dropped")]
    raw: Option<Raw>,
}

/// What was read of the caller's input.
pub struct Typed {
    pub bytes: Vec<u8>,
    pub detach: bool,
    pub ends: bool,
}

impl Caller {
    pub fn new(parent: Option<OwnedFd>, terminal: bool, keys: DetachKeys) -> Step<Caller> {
        let copy = |fd: BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, 3).during("console", "streams");
        let interactive = has_input();
        let stdin = interactive.then(|| copy(rustix::stdio::stdin())).transpose()?;
        let out = Outlet::new(copy(rustix::stdio::stdout())?);
        let err = if terminal { None } else { Some(Outlet::new(copy(rustix::stdio::stderr())?)) };
        let raw = if terminal && interactive { Raw::enter(rustix::stdio::stdin()) } else { None };
        let scanner = (terminal && interactive).then(|| Scanner::new(keys));
        Ok(Caller { parent, stdin, outlets: [Some(out), err], scanner, raw })
    }

    pub fn stdin(&self) -> Option<&OwnedFd> {
        self.stdin.as_ref()
    }

    /// It is a terminal in raw mode.
    pub fn has_keys(&self) -> bool {
        self.scanner.is_some()
    }

    pub fn read(&mut self) -> Typed {
        let mut typed = Typed { bytes: Vec::new(), detach: false, ends: false };
        let Some(stdin) = &self.stdin else { return typed };
        let mut block = [0; BLOCK];
        match rustix::io::read(stdin, &mut block) {
            Ok(got) if got > 0 => match &mut self.scanner {
                Some(scanner) => typed.detach = scanner.feed(&block[..got], &mut typed.bytes),
                None => typed.bytes.extend_from_slice(&block[..got]),
            },
            Err(Errno::AGAIN | Errno::INTR) => {}
            _ => {
                typed.ends = true;
                typed.bytes = self.scanner.as_mut().map(Scanner::rest).unwrap_or_default();
                self.stdin = None;
            }
        }
        typed
    }

    pub fn outlet(&self, stream: Stream) -> Option<&Outlet> {
        self.outlets[stream as usize].as_ref()
    }

    pub fn is_full(&self) -> bool {
        self.outlets.iter().flatten().any(Outlet::is_full)
    }

    pub fn is_waiting(&self) -> bool {
        self.outlets.iter().flatten().any(Outlet::is_waiting)
    }

    /// False: nobody reads that stream any more.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> bool {
        self.with(stream, |outlet| outlet.write(bytes))
    }

    pub fn flush(&mut self, stream: Stream) -> bool {
        self.with(stream, Outlet::flush)
    }

    fn with(&mut self, stream: Stream, act: impl FnOnce(&mut Outlet) -> bool) -> bool {
        let outlet = &mut self.outlets[stream as usize];
        let alive = outlet.as_mut().is_none_or(act);
        if !alive {
            *outlet = None;
        }
        alive
    }

    /// It has no patience for what is still to be read.
    pub fn drop_outlets(&mut self) {
        self.outlets = [None, None];
    }
}

/// False for /dev/null, which has nothing to say.
pub fn has_input() -> bool {
    rustix::fs::fstat(rustix::stdio::stdin()).is_ok_and(|stat| stat.st_rdev != rustix::fs::makedev(1, 3))
}
