//! What may end a session from outside: signals, and the end of the process that asked for it.

use super::{End, Manner};
use crate::failure::{During, Step};
use crate::sys::signal;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};

pub struct Watch<'a> {
    signals: OwnedFd,
    caller: Option<&'a OwnedFd>,
}

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
        Ok(Watch { signals: signal::catch().during("session", "signalfd")?, caller: manner.caller.as_ref() })
    }

    /// Always the first descriptors of a poll.
    pub fn interest(&self) -> Vec<PollFd<'_>> {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        // The end of the pipe's reader is an error on its writer.
        fds.extend(self.caller.map(|caller| PollFd::new(caller, PollFlags::empty())));
        fds
    }

    pub fn news(&self, fired: &[bool], forward: bool) -> Step<Vec<News>> {
        let mut all = Vec::new();
        if self.caller.is_some() && fired.get(1) == Some(&true) {
            all.push(News::End(End::Signal(libc::SIGHUP)));
        }
        while let Some(caught) = signal::next(self.signals.as_fd()).during("session", "signalfd")? {
            match caught.signal {
                libc::SIGWINCH => all.push(News::Size),
                libc::SIGCHLD | libc::SIGPIPE | libc::SIGURG => {}
                number if forward => all.push(News::Forward(number)),
                number if ends(number) => all.push(News::End(End::Signal(number))),
                _ => {}
            }
        }
        Ok(all)
    }
}

/// What would end a program without handlers.
fn ends(signal: i32) -> bool {
    !matches!(signal, libc::SIGCONT | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}
