//! The container's standard streams. It never holds a terminal or a file of the caller's: whoever has one of its ends can open it
//! again through /proc, and so read what is typed into that terminal, or write where the caller only appends.

use crate::failure::{During, Step};
use crate::relay::Flow;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{fstat, FileType};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::{pipe_with, PipeFlags};

/// Pipes in place of what the container must not hold, and the flows that serve them.
#[derive(Default)]
pub struct Streams {
    /// For the container's 0, 1 and 2; `None` leaves what is there.
    pub child: [Option<OwnedFd>; 3],
    pub flows: Vec<Flow>,
}

/// Pipes, sockets and /dev/null are handed on as they are: without a copy, and there is nothing behind them to reach.
pub fn split() -> Step<Streams> {
    let own = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let mut streams = Streams::default();
    for (number, stream) in own.into_iter().enumerate() {
        let Ok(stat) = fstat(stream) else { continue };
        let is_null = stat.st_rdev == rustix::fs::makedev(1, 3);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Fifo | FileType::Socket => continue,
            FileType::CharacterDevice if is_null => continue,
            _ => {}
        }
        let stream = fcntl_dupfd_cloexec(stream, 3).during("console", "streams")?;
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).during("console", "pipe")?;
        let (child, flow) = match number {
            0 => (read, Flow::inward(stream, write)),
            _ => (write, Flow::outward(read, stream)),
        };
        streams.child[number] = Some(child);
        streams.flows.push(flow);
    }
    Ok(streams)
}

/// Both ways of a terminal.
pub fn of_terminal(master: &OwnedFd) -> Step<Vec<Flow>> {
    let copy = |fd: rustix::fd::BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, 3).during("console", "streams");
    Ok(vec![
        Flow::inward(copy(rustix::stdio::stdin())?, copy(master.as_fd())?),
        Flow::outward(copy(master.as_fd())?, copy(rustix::stdio::stdout())?),
    ])
}
