//! The caller's streams, joined to those of a container's own program.

use super::frame::{self, END, END_OF_INPUT, RESIZE, STDERR, STDIN, STDOUT};
use super::watch::{News, Watch};
use super::{code_of, scanner, Connection, End, Manner, Monitor};
use crate::failure::{During, Failure, Step};
use crate::keys::Scanner;
use crate::monitor::queue::Outlet;
use crate::sys::memory::Patience;
use crate::terminal::Raw;
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{fcntl_dupfd_cloexec, Errno};
use rustix::termios::{isatty, tcgetwinsize};
use serde_json::json;

pub fn run(monitor: &Monitor<'_>, connection: Connection, watch: Watch<'_>, tty: bool, manner: &Manner) -> Step<End> {
    let raw = if tty && manner.stdin { Raw::enter(rustix::stdio::stdin()) } else { None };
    let mut session = Session {
        monitor,
        connection,
        watch,
        outlets: [Some(Outlet::new(copy(rustix::stdio::stdout())?)), Some(Outlet::new(copy(rustix::stdio::stderr())?))],
        stdin: if manner.stdin { Some(copy(rustix::stdio::stdin())?) } else { None },
        keys: tty.then(|| scanner(manner)),
        tty,
        forward: manner.sig_proxy && !tty,
        out: Vec::new(),
        end: None,
        patience: Patience::default(),
    };
    session.resize(true);
    let end = loop {
        if let Some(end) = session.step()? {
            break end;
        }
    };
    drop(raw);
    Ok(end)
}

fn copy(fd: BorrowedFd<'_>) -> Step<OwnedFd> {
    fcntl_dupfd_cloexec(fd, 3).during("session", "streams")
}

struct Session<'a> {
    monitor: &'a Monitor<'a>,
    connection: Connection,
    watch: Watch<'a>,
    /// `None`: nobody reads it any more.
    outlets: [Option<Outlet>; 2],
    stdin: Option<OwnedFd>,
    /// With a terminal.
    keys: Option<Scanner>,
    tty: bool,
    forward: bool,
    /// Frames for the monitor.
    out: Vec<u8>,
    end: Option<u8>,
    patience: Patience,
}

/// Which descriptors of a poll came true.
struct Fired {
    outside: Vec<bool>,
    outlets: [bool; 2],
    read: bool,
    write: bool,
    stdin: bool,
}

impl Session<'_> {
    fn step(&mut self) -> Step<Option<End>> {
        if let Some(code) = self.end.filter(|_| !self.outlets.iter().flatten().any(Outlet::is_waiting)) {
            return Ok(Some(End::Code(code)));
        }
        let fired = self.sleep()?;
        for news in self.watch.news(&fired.outside, self.forward)? {
            match news {
                News::Size => self.resize(false),
                News::Forward(signal) => self.monitor.tell(&json!({ "op": "kill", "signal": signal })),
                News::End(end) => return Ok(Some(end)),
            }
        }
        for (outlet, _) in self.outlets.iter_mut().zip(fired.outlets).filter(|(_, fired)| *fired) {
            // Fired without anything to write: its reader has gone.
            let stays = outlet.as_mut().is_some_and(|outlet| outlet.is_waiting() && outlet.flush());
            *outlet = outlet.take().filter(|_| stays);
        }
        // As a program whose reader is gone.
        if self.outlets[0].is_none() {
            return Ok(Some(End::Signal(libc::SIGPIPE)));
        }
        if fired.stdin && self.take_input() {
            return Ok(Some(End::Detached));
        }
        if fired.write {
            self.send()?;
        }
        if fired.read {
            self.receive()?;
        }
        Ok(None)
    }

    fn sleep(&mut self) -> Step<Fired> {
        let mut fds = self.watch.interest();
        let outside = fds.len();
        let outlets_at = self.outlets.each_ref().map(|outlet| {
            let outlet = outlet.as_ref()?;
            let wanted = if outlet.is_waiting() { PollFlags::OUT } else { PollFlags::empty() };
            fds.push(PollFd::new(outlet.fd(), wanted));
            Some(fds.len() - 1)
        });
        let mut wanted = PollFlags::empty();
        if self.end.is_none() && !self.outlets.iter().flatten().any(Outlet::is_full) {
            wanted |= PollFlags::IN;
        }
        if !self.out.is_empty() {
            wanted |= PollFlags::OUT;
        }
        // Without interest it would still say that the other end is closed, again and again.
        let socket_at = (!wanted.is_empty()).then_some(fds.len());
        fds.extend(socket_at.map(|_| PollFd::new(&self.connection.socket, wanted)));
        let stdin = self.stdin.as_ref().filter(|_| self.out.is_empty() && self.end.is_none());
        let stdin_at = stdin.map(|_| fds.len());
        fds.extend(stdin.map(|stdin| PollFd::new(stdin, PollFlags::IN)));
        match poll(&mut fds, self.patience.left()) {
            Err(Errno::INTR) => {}
            result => self.patience.waited(result.during("session", "poll")?),
        }
        let revents: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        let of = |at: Option<usize>| at.map_or(PollFlags::empty(), |at| revents[at]);
        let is = |at: usize| !revents[at].is_empty();
        Ok(Fired {
            outside: (0..outside).map(is).collect(),
            outlets: outlets_at.map(|at| !of(at).is_empty()),
            read: wanted.contains(PollFlags::IN)
                && of(socket_at).intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR),
            write: of(socket_at).contains(PollFlags::OUT),
            stdin: !of(stdin_at).is_empty(),
        })
    }

    /// True when the keys came.
    fn take_input(&mut self) -> bool {
        let Some(stdin) = &self.stdin else { return false };
        let mut block = [0; 16 << 10];
        let (mut input, mut left, mut over) = (Vec::new(), false, false);
        match rustix::io::read(stdin, &mut block) {
            Err(Errno::AGAIN | Errno::INTR) => return false,
            Ok(0) | Err(_) => {
                over = true;
                input.extend(self.keys.as_mut().map(Scanner::rest).unwrap_or_default());
            }
            Ok(count) => match &mut self.keys {
                Some(keys) => left = keys.feed(&block[..count], &mut input),
                None => input.extend_from_slice(&block[..count]),
            },
        }
        if !input.is_empty() {
            frame::put(&mut self.out, STDIN, &input);
        }
        if over {
            self.stdin = None;
            frame::put(&mut self.out, END_OF_INPUT, b"");
        }
        if left {
            // What was typed before the keys still arrives.
            let _ = self.send();
        }
        left
    }

    fn send(&mut self) -> Step<()> {
        let flags = rustix::net::SendFlags::NOSIGNAL | rustix::net::SendFlags::DONTWAIT;
        match rustix::net::send(&self.connection.socket, &self.out, flags) {
            Ok(sent) => drop(self.out.drain(..sent)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            // It has ended; what it said last is still to be read.
            Err(_) => {
                self.out.clear();
                self.stdin = None;
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Step<()> {
        let more = self.connection.receive()?;
        let (outlets, end) = (&mut self.outlets, &mut self.end);
        let mut say = |number: usize, payload: &[u8]| {
            if outlets[number].as_mut().is_some_and(|outlet| !outlet.write(payload)) {
                outlets[number] = None;
            }
        };
        let whole = frame::take(&mut self.connection.read, |kind, payload| match kind {
            STDOUT => say(0, payload),
            STDERR => say(1, payload),
            END => *end = Some(code_of(payload).unwrap_or(125)),
            _ => {}
        });
        if whole.is_err() || !more && self.end.is_none() {
            return Err(Failure::because("session", "the monitor is gone"));
        }
        Ok(())
    }

    /// `again`: to another size and back, so that a program draws its screen for whoever comes later.
    fn resize(&mut self, again: bool) {
        if !self.tty {
            return;
        }
        let streams = [rustix::stdio::stdout(), rustix::stdio::stdin(), rustix::stdio::stderr()];
        let Some(size) = streams.into_iter().find(|fd| isatty(fd)).and_then(|fd| tcgetwinsize(fd).ok()) else { return };
        let mut put = |rows: u16| {
            let payload = json!({ "rows": rows, "cols": size.ws_col }).to_string();
            frame::put(&mut self.out, RESIZE, payload.as_bytes());
        };
        if again {
            put(size.ws_row.saturating_add(1));
        }
        put(size.ws_row);
    }
}
