//! A process in namespaces that exist already. Joining a pid namespace takes effect for children only, and the runtime must not
//! leave its own namespaces; so a middle process joins them, and makes the new process as our child, not its own (CLONE_PARENT).

use crate::channel::Channel;
use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Child, Forked};

/// `join_and_clone` runs in the middle process; its clone is a sibling of that, in which `live` goes on up to exec. `live`
/// reports a failure on the channel itself. Answers the new process and our end of the channel.
pub fn clone_through<T>(
    (ours, theirs): (Channel, Channel),
    join_and_clone: impl FnOnce() -> Step<(Forked, T)>,
    live: impl FnOnce(T, Channel) -> Failure,
) -> Step<(Child, Channel)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during("clone", "pipe")?;
    match process::fork().during("clone", "middle process")? {
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
        Forked::Parent(middle) => {
            drop((theirs, write));
            let mut pid = [0; 4];
            let got = rustix::io::read(&read, &mut pid).unwrap_or(0);
            process::wait_for(middle.pid).during("clone", "middle process")?;
            if got != pid.len() {
                return Err(match ours.receive(None) {
                    Err(failure) => failure,
                    Ok(_) => Failure::because("clone", "the middle process ended early"),
                });
            }
            let pid = i32::from_ne_bytes(pid);
            let pidfd = process::open_pidfd(pid).during("clone", pid)?;
            Ok((Child { pid, pidfd }, ours))
        }
    }
}
