//! One poll(2) over everything that can happen, and what is due by time.

use super::Monitor;
use crate::failure::{During, Step};
use crate::log::Stream;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::time::{Duration, Instant};

pub const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

/// What a descriptor stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Signals,
    Parent,
    Listener,
    /// The holder of the networks is gone.
    Network,
    /// Who ends the container with this process is gone.
    Guardian,
    /// The program tells the service manager something.
    Notify,
    Source(Stream),
    /// The program takes input again.
    Input,
    CallerIn,
    CallerOut(Stream),
    Client(usize),
    /// Of the session with this number.
    SessionPid(u64),
    SessionChannel(u64),
    SessionOutput(u64, usize),
}

pub type Ready = Vec<(Token, PollFlags)>;

#[derive(Default)]
struct Set<'a> {
    fds: Vec<PollFd<'a>>,
    tokens: Vec<Token>,
}

impl<'a> Set<'a> {
    fn add(&mut self, token: Token, fd: Option<&'a OwnedFd>, flags: PollFlags) {
        self.add_borrowed(token, fd.map(AsFd::as_fd), flags);
    }

    fn add_borrowed(&mut self, token: Token, fd: Option<BorrowedFd<'a>>, flags: PollFlags) {
        if let Some(fd) = fd {
            self.fds.push(PollFd::from_borrowed_fd(fd, flags));
            self.tokens.push(token);
        }
    }
}

impl Monitor {
    /// Sleeps until something happens or is due.
    pub fn wait(&self) -> Step<Ready> {
        let mut set = Set::default();
        self.watch_outside(&mut set);
        self.watch_streams(&mut set);
        for session in &self.sessions {
            set.add(Token::SessionPid(session.number), session.pid_source(), PollFlags::IN);
            set.add_borrowed(Token::SessionChannel(session.number), session.channel(), PollFlags::IN);
            for at in [0, 1] {
                set.add(Token::SessionOutput(session.number, at), session.drain(at), PollFlags::IN);
            }
        }
        let Set { mut fds, tokens } = set;
        let patience = self.next_deadline().map(|at| timespec(at.saturating_duration_since(Instant::now())));
        match poll(&mut fds, patience.as_ref()) {
            Err(Errno::INTR) => return Ok(Vec::new()),
            other => other.during("wait", "poll")?,
        };
        let fired = tokens.iter().zip(&fds).map(|(token, fd)| (*token, fd.revents()));
        Ok(fired.filter(|(_, flags)| !flags.is_empty()).collect())
    }

    fn watch_outside<'a>(&'a self, set: &mut Set<'a>) {
        set.add(Token::Signals, Some(&self.signals), PollFlags::IN);
        set.add(Token::Listener, self.server.listener(), PollFlags::IN);
        set.add(Token::Network, self.network_line.as_ref(), PollFlags::IN);
        set.add(Token::Guardian, self.guardian(), PollFlags::empty());
        set.add(Token::Notify, self.notifier.as_ref().and_then(|notifier| notifier.ear()), PollFlags::IN);
        let has_room = self.hub.takes_input();
        for (at, client) in self.server.clients.iter().enumerate() {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, client.listens_to(has_room));
            flags.set(PollFlags::OUT, client.is_waiting());
            set.add(Token::Client(at), Some(client.socket()), flags);
        }
    }

    fn watch_streams<'a>(&'a self, set: &mut Set<'a>) {
        let full = self.server.clients.iter().any(|client| client.is_full())
            || self.caller.as_ref().is_some_and(|caller| caller.is_full());
        // The last words are as long as a pipe at most, and the log gets them whoever listens.
        if !full || self.life.as_ref().is_some_and(|life| life.has_ended()) {
            for stream in STREAMS {
                set.add(Token::Source(stream), self.hub.source(stream), PollFlags::IN);
            }
        }
        set.add(Token::Input, self.hub.thirsty(), PollFlags::OUT);
        let Some(caller) = &self.caller else { return };
        set.add(Token::Parent, caller.parent.as_ref(), PollFlags::IN);
        // Between two lives a terminal's keys are the only way out.
        if (self.hub.has_input() && self.hub.takes_input()) || (self.life.is_none() && caller.has_keys()) {
            set.add(Token::CallerIn, caller.stdin(), PollFlags::IN);
        }
        for stream in STREAMS {
            let outlet = caller.outlet(stream).filter(|outlet| outlet.is_waiting());
            set.add(Token::CallerOut(stream), outlet.map(|outlet| outlet.fd()), PollFlags::OUT);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let life = self.life.as_ref().and_then(|life| life.deadline(&self.hub));
        let clients = self.server.clients.iter().filter_map(|client| client.deadline()).min();
        let log = self.hub.log_due().map(|rest| now + rest);
        let checks = self.checks.as_ref().and_then(|checks| checks.deadline());
        let server = self.server.deadline();
        [self.again, self.tidy, self.network_due, life, clients, log, checks, server].into_iter().flatten().min()
    }
}

/// Rounded up: a poll that returns a moment too early would turn for nothing.
fn timespec(rest: Duration) -> Timespec {
    let rest = rest + Duration::from_micros(1);
    Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: i64::from(rest.subsec_nanos()) }
}
