//! A process in namespaces that exist already. Joining a pid namespace takes effect for children only, and the runtime must not
//! leave its own namespaces; so a middle process joins them, and makes the new process as our child, not its own (CLONE_PARENT).

use crate::channel::Channel;
use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Child, Forked};
use rustix::fd::{BorrowedFd, OwnedFd};

/// A middle process at work, and what it will leave.
pub struct Middle {
    child: Child,
    /// Readable when the new process exists, or never will.
    pub pid: OwnedFd,
    /// Our end of the new process's channel.
    pub channel: Channel,
}

/// `join_and_clone` runs in the middle process, which is made in `cgroup`; its clone is a sibling of that, in which `live` goes on
/// up to exec. `live` reports a failure on the channel itself.
pub fn start<T>(
    (ours, theirs): (Channel, Channel),
    cgroup: Option<BorrowedFd<'_>>,
    join_and_clone: impl FnOnce() -> Step<(Forked, T)>,
    live: impl FnOnce(T, Channel) -> Failure,
) -> Step<Middle> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during("clone", "pipe")?;
    match process::clone(0, cgroup).during("clone", "middle process")? {
        Forked::Child => {
            drop((ours, read));
            match join_and_clone() {
                Ok((Forked::Child, inherited)) => {
                    let failure = live(inherited, theirs);
                    process::exit_now(i32::from(failure.exit))
                }
                Ok((Forked::Parent(child), _)) => {
                    let _ = rustix::io::write(&write, &child.pid.to_ne_bytes());
                    process::exit_now(0)
                }
                Err(failure) => {
                    theirs.send_failure(&failure);
                    process::exit_now(1)
                }
            }
        }
        Forked::Parent(child) => Ok(Middle { child, pid: read, channel: ours }),
    }
}

impl Middle {
    /// Waits for the new process, and for the end of the middle one.
    pub fn finish(self) -> Step<(Child, Channel)> {
        let Some(pid) = self.take_pid() else {
            return Err(match self.channel.receive(None) {
                Err(failure) => failure,
                Ok(_) => Failure::because("clone", "the middle process ended early"),
            });
        };
        let pidfd = process::open_pidfd(pid).during("clone", pid)?;
        Ok((Child { pid, pidfd }, self.channel))
    }

    /// The number of the new process, if there is one; the middle process has ended then.
    pub fn take_pid(&self) -> Option<i32> {
        let mut pid = [0; 4];
        let got = rustix::io::retry_on_intr(|| rustix::io::read(&self.pid, &mut pid)).unwrap_or(0);
        let _ = process::wait_for(self.child.pid);
        (got == pid.len()).then(|| i32::from_ne_bytes(pid))
    }

    pub fn kill(&self) {
        let _ = process::send_signal(&self.child.pidfd, libc::SIGKILL);
    }
}

/// The same at once.
pub fn clone_through<T>(
    channels: (Channel, Channel),
    join_and_clone: impl FnOnce() -> Step<(Forked, T)>,
    live: impl FnOnce(T, Channel) -> Failure,
) -> Step<(Child, Channel)> {
    start(channels, None, join_and_clone, live)?.finish()
}
