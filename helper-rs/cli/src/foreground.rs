//! Without a monitor, the process that stays as long as its caller: forwards signals, relays the terminal, reaps, and says how it ended.

use crate::failure::{During, Step};
use crate::launch::Launched;
use crate::monitor::stop;
use crate::relay::Flow;
use crate::streams;
use crate::sys::memory::Patience;
use crate::sys::process::{self, Ended};
use crate::sys::signal::{self, Caught};
use crate::terminal::{copy_size, Raw};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// Watches a launched container until it ends.
pub struct Foreground<'a> {
    pub container: &'a Launched,
    pub signals: OwnedFd,
    /// Its end of file kills the container.
    pub parent: Option<OwnedFd>,
    pub is_pid_one: bool,
    /// The caller's streams that the container may not hold itself.
    pub flows: Vec<Flow>,
}

struct Woken {
    /// Something happened before patience ran out.
    any: bool,
    child_ended: bool,
    parent_gone: bool,
}

/// A copy of a signal from the CLI within this time of one that came directly is the same key press.
const ECHO: Duration = Duration::from_secs(1);

impl Foreground<'_> {
    pub fn run(mut self) -> Step<Ended> {
        let raw = self.container.terminal.as_ref().and_then(|_| Raw::enter(rustix::stdio::stdin()));
        if let Some(master) = &self.container.terminal {
            copy_size(master);
            self.flows = streams::of_terminal(master)?;
        }
        let mut direct: Option<(i32, Instant)> = None;
        let mut killed_by: Option<i32> = None;
        let had_parent = self.parent.is_some();
        let mut patience = Patience::default();
        let ended = loop {
            let woken = self.wait(true, patience.left())?;
            patience.waited(usize::from(woken.any));
            for caught in self.caught()? {
                self.forward(&caught, &mut direct, &mut killed_by);
            }
            if woken.parent_gone {
                let _ = process::send_signal(&self.container.child.pidfd, libc::SIGKILL);
                self.parent = None;
            }
            if woken.child_ended {
                break process::wait_for(self.container.child.pid).during("wait", self.container.child.pid)?;
            }
        };
        // Who killed it does not wait for its last words to be read.
        let hurry = killed_by.is_some() || self.parent.is_none() && had_parent;
        self.drain(hurry)?;
        drop(raw);
        Ok(match (ended, killed_by) {
            (Ended::Signal(libc::SIGKILL), Some(signal)) => Ended::Signal(signal),
            _ => ended,
        })
    }

    /// Sleeps until something happens, and moves bytes. `child`: its end counts; afterwards its descriptor stays readable.
    fn wait(&mut self, child: bool, patience: Option<&Timespec>) -> Step<Woken> {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        let child_at = push(&mut fds, child.then_some(&self.container.child.pidfd));
        let parent_at = push(&mut fds, self.parent.as_ref());
        let flows_at = fds.len();
        fds.extend(self.flows.iter().map(Flow::interest));
        let count = match poll(&mut fds, patience) {
            Err(Errno::INTR) => return Ok(Woken { any: true, child_ended: false, parent_gone: false }),
            other => other.during("wait", "poll")?,
        };
        let fired: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        for (flow, _) in self.flows.iter_mut().zip(&fired[flows_at..]).filter(|(_, fired)| **fired) {
            flow.pump();
        }
        self.flows.retain(|flow| !flow.is_over());
        let is = |at: Option<usize>| at.is_some_and(|at| fired[at]);
        Ok(Woken { any: count > 0, child_ended: is(child_at), parent_gone: is(parent_at) })
    }

    fn caught(&self) -> Step<Vec<Caught>> {
        let mut all = Vec::new();
        while let Some(caught) = signal::next(self.signals.as_fd()).during("wait", "signalfd")? {
            all.push(caught);
        }
        Ok(all)
    }

    /// The rest of what the container said. A reader that stalls is waited for until somebody loses patience: the caller
    /// ends, or sends a signal. Where other processes may still hold a stream open, silence ends it.
    fn drain(&mut self, hurry: bool) -> Step<()> {
        let quiet = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        self.flows.retain(Flow::is_outward);
        while !self.flows.is_empty() {
            let stalled = !hurry && self.flows.iter().any(Flow::is_stalled);
            let woken = self.wait(false, if stalled { None } else { Some(&quiet) })?;
            let ends = |caught: &Caught| stop::ends(caught.signal);
            if !woken.any || woken.parent_gone || self.caught()?.iter().any(ends) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn forward(&self, caught: &Caught, direct: &mut Option<(i32, Instant)>, killed_by: &mut Option<i32>) {
        match caught.signal {
            libc::SIGCHLD | libc::SIGPIPE => return,
            libc::SIGWINCH => {
                if let Some(master) = &self.container.terminal {
                    copy_size(master);
                }
                return;
            }
            _ => {}
        }
        // A signal for the whole process group (Ctrl-C) arrives here and at the CLI, which passes it on to us.
        if caught.sender != 0 && caught.sender == rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get())
        {
            if direct.take().is_some_and(|(signal, at)| signal == caught.signal && at.elapsed() < ECHO) {
                return;
            }
        } else {
            *direct = Some((caught.signal, Instant::now()));
        }
        if self.is_pid_one && stop::would_be_ignored(self.container.child.pid, caught.signal) {
            *killed_by = Some(caught.signal);
            let _ = process::send_signal(&self.container.child.pidfd, libc::SIGKILL);
        } else {
            let _ = process::send_signal(&self.container.child.pidfd, caught.signal);
        }
    }
}

/// Adds a descriptor that may not be there; answers where it is.
fn push<'a>(fds: &mut Vec<PollFd<'a>>, fd: Option<&'a OwnedFd>) -> Option<usize> {
    fds.push(PollFd::new(fd?, PollFlags::IN));
    Some(fds.len() - 1)
}
