//! What may end a session from outside: signals, and the end of the process that asked for it.

use super::{End, Manner};
use crate::failure::{During, Step};
use crate::sys::signal::{self, Caught};
use crate::verbs::front;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

pub struct Watch<'a> {
    signals: OwnedFd,
    caller: Option<&'a OwnedFd>,
    /// The last signal that did not come through the caller.
    direct: Option<(i32, Instant)>,
}

/// A copy of a signal from the caller within this time of one that came directly is the same key press.
const ECHO: Duration = Duration::from_secs(1);

/// News from outside.
pub enum News {
    /// The terminal has another size.
    Size,
    /// For the program.
    Forward(i32),
    End(End),
}

impl<'a> Watch<'a> {
    /// From here on no signal ends this process by itself: a terminal in raw mode is always restored.
    pub fn new(manner: &'a Manner) -> Step<Watch<'a>> {
        let signals = signal::catch().during("session", "signalfd")?;
        Ok(Watch { signals, caller: manner.caller.as_ref(), direct: None })
    }

    /// Always the first descriptors of a poll.
    pub fn interest(&self) -> Vec<PollFd<'_>> {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        // The end of the pipe's reader is an error on its writer.
        fds.extend(self.caller.map(|caller| PollFd::new(caller, PollFlags::empty())));
        fds
    }

    pub fn news(&mut self, fired: &[bool], forward: bool) -> Step<Vec<News>> {
        let mut all = Vec::new();
        if self.caller.is_some() && fired.get(1) == Some(&true) {
            all.push(News::End(End::Signal(libc::SIGHUP)));
        }
        while let Some(caught) = signal::next(self.signals.as_fd()).during("session", "signalfd")? {
            match caught.signal {
                libc::SIGWINCH => all.push(News::Size),
                libc::SIGCHLD => front::reap(),
                libc::SIGPIPE | libc::SIGURG => {}
                _ if self.is_echo(&caught) => {}
                number if forward => all.push(News::Forward(number)),
                number if ends(number) => all.push(News::End(End::Signal(number))),
                _ => {}
            }
        }
        Ok(all)
    }

    /// A key press reaches the whole foreground group: this process, and the caller, who passes it on.
    fn is_echo(&mut self, caught: &Caught) -> bool {
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        if caught.sender == 0 || caught.sender != parent {
            self.direct = Some((caught.signal, Instant::now()));
            return false;
        }
        self.direct.take().is_some_and(|(signal, at)| signal == caught.signal && at.elapsed() < ECHO)
    }
}

/// What would end a program without handlers.
fn ends(signal: i32) -> bool {
    !matches!(signal, libc::SIGCONT | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}
