//! How the monitor leaves its caller: no session, no descriptor, no folder, no stream of it is kept.

use super::stop;
use crate::ahead::Ahead;
use crate::failure::{During, Failure, Step};
use crate::sys::memory::Patience;
use crate::sys::process::{self, Child, Ended, Forked};
use crate::sys::signal::{self, Caught};
use crate::verbs::front;
use rustix::event::{epoll, poll, PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{pipe_with, PipeFlags};

/// Which side of the fork this is.
pub enum Side {
    /// The process that is waited for: it ends with this code.
    Front(u8),
    Monitor(Line, Option<Ahead>),
}

/// Between the monitor and the process that its caller waits for.
pub struct Line {
    /// Its end of file: the front is gone, and with it the caller's wish.
    front: OwnedFd,
    done: OwnedFd,
}

impl Line {
    /// The front may end, with this code.
    pub fn let_go(self, code: u8) {
        let _ = rustix::io::write(&self.done, &[code]);
    }

    /// Readable when the caller is gone, seen by its own pipe or through the front.
    pub fn watch(&self, parent: Option<&OwnedFd>) -> Step<OwnedFd> {
        let both = epoll::create(epoll::CreateFlags::CLOEXEC).during("parent", "epoll")?;
        let data = epoll::EventData::new_u64(0);
        for fd in [Some(&self.front), parent].into_iter().flatten() {
            epoll::add(&both, fd, data, epoll::EventFlags::IN).during("parent", "epoll")?;
        }
        Ok(both)
    }

    /// The front in place of a parent.
    pub fn front(&self) -> Step<OwnedFd> {
        rustix::io::fcntl_dupfd_cloexec(&self.front, 3).during("parent", "front")
    }
}

/// Splits: the monitor goes on, with `detach` in a session of its own; this process waits until the container runs, or without
/// `detach` until it has ended or its caller has left it. What was begun is the monitor's.
/// Without `sig_proxy` a signal ends this process and not the program.
pub fn split(parent: Option<&OwnedFd>, detach: bool, sig_proxy: bool, ahead: Option<Ahead>) -> Step<Side> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).during("parent", "pipe");
    let ((front, lifeline), (result, done)) = (pipe()?, pipe()?);
    match process::fork().during("clone", "monitor")? {
        Forked::Child => {
            drop((lifeline, result));
            if detach {
                rustix::process::setsid().during("init", "setsid")?;
            }
            Ok(Side::Monitor(Line { front, done }, ahead))
        }
        Forked::Parent(child) => {
            drop((front, done));
            front::reap_too(ahead.map(Ahead::leave));
            let wish = match detach {
                // The bytes are the monitor's to read; the end is for both.
                true => Signals::Cancel(parent, Some(lifeline)),
                false => Signals::PassOn { lifeline, once: !sig_proxy, passed: false },
            };
            wait_in_front(&child, wish, &result).map(Side::Front)
        }
    }
}

/// What the front does with a signal.
enum Signals<'a> {
    /// The end of the lifeline: the monitor takes everything down. So does the end of the parent.
    Cancel(Option<&'a OwnedFd>, Option<OwnedFd>),
    /// A key press reaches the monitor as well; what was sent to us alone is passed on.
    /// `once`: to a monitor that has left us for the first that ends a program, the next one would be a stop.
    PassOn {
        #[expect(dead_code, reason = "its end of file says that we are gone")]
        lifeline: OwnedFd,
        once: bool,
        passed: bool,
    },
}

impl Signals<'_> {
    fn take(&mut self, monitor: &Child, caught: &Caught) {
        let ends = matches!(caught.signal, libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT);
        match self {
            Signals::Cancel(_, lifeline) if ends => *lifeline = None,
            Signals::PassOn { once, passed, .. }
                if caught.sender != 0 && caught.signal != libc::SIGCHLD && !(*once && *passed) =>
            {
                *passed |= stop::ends(caught.signal);
                let _ = process::send_signal(&monitor.pidfd, caught.signal);
            }
            _ => {}
        }
    }
}

fn wait_in_front(monitor: &Child, mut wish: Signals<'_>, result: &OwnedFd) -> Step<u8> {
    let signals = signal::catch().during("init", "signalfd")?;
    let mut patience = Patience::default();
    loop {
        let mut fds = vec![PollFd::new(result, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        if let Signals::Cancel(parent, Some(_)) = &wish {
            fds.extend(parent.map(|fd| PollFd::new(fd, PollFlags::empty())));
        }
        match poll(&mut fds, patience.left()) {
            Err(Errno::INTR) => continue,
            other => patience.waited(other.during("wait", "poll")?),
        }
        let fired: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if fired[0] {
            break;
        }
        if let (Some(true), Signals::Cancel(_, lifeline)) = (fired.get(2), &mut wish) {
            *lifeline = None;
        }
        while let Ok(Some(caught)) = signal::next(signals.as_fd()) {
            if caught.signal == libc::SIGCHLD {
                front::reap();
            }
            wish.take(monitor, &caught);
        }
    }
    let mut code = [0];
    if matches!(rustix::io::read(result, &mut code), Ok(1)) {
        return Ok(code[0]);
    }
    match process::wait_for(monitor.pid).during("wait", "monitor")? {
        Ended::Code(code) => Ok(code as u8),
        Ended::Signal(signal) => Err(Failure::because("wait", format!("signal {signal} ended the monitor"))),
    }
}

/// Streams and folder; a session too, unless there is one already, or this process leads its group.
pub fn forget_caller() {
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        for number in 0..3 {
            let _ = process::dup_to(null.as_fd(), number);
        }
    }
}
