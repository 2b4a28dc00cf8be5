//! The caller's streams, around the ends of a program's own that the monitor handed over.

use super::watch::{News, Watch};
use super::{code_of, quiet_since, scanner, Connection, End, Manner};
use crate::failure::{During, Failure, Step};
use crate::relay::Flow;
use crate::terminal::{copy_size, Raw};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{fcntl_dupfd_cloexec, Errno};
use std::time::Instant;

pub fn run(mut connection: Connection, watch: Watch<'_>, manner: &Manner) -> Step<End> {
    let mut fds = std::mem::take(&mut connection.fds).into_iter();
    let (terminal, flows) = match (fds.next(), fds.next(), fds.next()) {
        (Some(input), Some(output), Some(error)) => (None, of_pipes(input, output, error, manner)?),
        (Some(master), None, None) => {
            let flows = of_terminal(&master, manner)?;
            (Some(master), flows)
        }
        _ => return Err(Failure::because("session", "the monitor handed over no streams")),
    };
    let raw = terminal.as_ref().filter(|_| manner.stdin).and_then(|_| Raw::enter(rustix::stdio::stdin()));
    if let Some(master) = &terminal {
        copy_size(master);
    }
    let mut session = Session { connection, watch, terminal, flows, code: None, heard: Instant::now() };
    let end = loop {
        if let Some(end) = session.step()? {
            break end;
        }
    };
    drop(raw);
    Ok(end)
}

fn of_pipes(input: OwnedFd, output: OwnedFd, error: OwnedFd, manner: &Manner) -> Step<Vec<Flow>> {
    let mut flows = vec![
        Flow::outward(output, copy(rustix::stdio::stdout())?),
        Flow::outward(error, copy(rustix::stdio::stderr())?),
    ];
    if manner.stdin {
        flows.push(Flow::inward(copy(rustix::stdio::stdin())?, input));
    }
    Ok(flows)
}

fn of_terminal(master: &OwnedFd, manner: &Manner) -> Step<Vec<Flow>> {
    let mut flows = vec![Flow::outward(copy(master.as_fd())?, copy(rustix::stdio::stdout())?)];
    if manner.stdin {
        let input = Flow::inward(copy(rustix::stdio::stdin())?, copy(master.as_fd())?);
        flows.push(input.until_keys(scanner(manner)));
    }
    Ok(flows)
}

fn copy(fd: BorrowedFd<'_>) -> Step<OwnedFd> {
    fcntl_dupfd_cloexec(fd, 3).during("session", "streams")
}

struct Session<'a> {
    connection: Connection,
    watch: Watch<'a>,
    terminal: Option<OwnedFd>,
    flows: Vec<Flow>,
    code: Option<u8>,
    /// When something last came.
    heard: Instant,
}

impl Session<'_> {
    /// Sleeps until something happens; answers how it ended.
    fn step(&mut self) -> Step<Option<End>> {
        if let Some(code) = self.code {
            self.flows.retain(Flow::is_outward);
            let stalled = self.flows.iter().any(Flow::is_stalled);
            if self.flows.is_empty() || !stalled && quiet_since(self.heard).is_zero() {
                return Ok(Some(End::Code(code)));
            }
        }
        let fired = self.sleep()?;
        let outside = self.watch.interest().len();
        for news in self.watch.news(&fired, false)? {
            match news {
                News::End(end) => return Ok(Some(end)),
                News::Size => drop(self.terminal.as_ref().map(copy_size)),
                News::Forward(_) => {}
            }
        }
        let flows = self.flows.iter_mut().zip(&fired[outside..]).filter(|(_, fired)| **fired);
        for (flow, _) in flows {
            self.heard = Instant::now();
            flow.pump();
        }
        if let Some(flow) = self.flows.iter_mut().find(|flow| flow.has_left()) {
            // What was typed before the keys, if the program takes it.
            if flow.is_stalled() {
                flow.pump();
            }
            return Ok(Some(End::Detached));
        }
        // As a program whose reader is gone; the monitor takes the rest of what it says.
        if self.flows.iter().any(|flow| flow.is_outward() && flow.is_refused()) {
            return Ok(Some(End::Signal(libc::SIGPIPE)));
        }
        self.flows.retain(|flow| !flow.is_over());
        if self.code.is_none() && fired.last() == Some(&true) {
            self.listen()?;
        }
        Ok(None)
    }

    fn sleep(&self) -> Step<Vec<bool>> {
        let mut fds = self.watch.interest();
        fds.extend(self.flows.iter().map(Flow::interest));
        if self.code.is_none() {
            fds.push(PollFd::new(&self.connection.socket, PollFlags::IN));
        }
        let stalled = self.flows.iter().any(Flow::is_stalled);
        let quiet = Timespec::try_from(quiet_since(self.heard)).ok().filter(|_| self.code.is_some() && !stalled);
        match poll(&mut fds, quiet.as_ref()) {
            Err(Errno::INTR) => return Ok(vec![false; fds.len()]),
            result => result.during("session", "poll")?,
        };
        Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    /// The monitor says how the program ended, or is gone itself.
    fn listen(&mut self) -> Step<()> {
        let more = self.connection.receive()?;
        if let Some(end) = memchr::memchr(b'\n', &self.connection.read) {
            self.code = Some(code_of(&self.connection.read[..end])?);
            self.heard = Instant::now();
        } else if !more {
            return Err(Failure::because("session", "the monitor is gone"));
        }
        Ok(())
    }
}
