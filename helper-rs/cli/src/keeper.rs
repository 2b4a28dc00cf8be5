//! A container must not outlive its monitor. The kernel would see to that (PR_SET_PDEATHSIG), but forgets it as soon as the program changes
//! its ids or clears it. So a small process of the monitor's, which changes nothing, waits for the end of a pipe: whatever ends the
//! monitor closes it, and the container is killed.

use crate::companion;
use crate::failure::{During, Step};
use crate::sys::process::{self, Child, Forked};
use crate::sys::{memory, signal};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::path::Path;

/// Waits beside the monitor; ended when dropped, and with the container.
pub struct Keeper {
    child: Child,
    lifeline: Option<OwnedFd>,
}

impl Keeper {
    pub fn start(container: &OwnedFd, cgroup: Option<&Path>) -> Step<Keeper> {
        let (line, lifeline) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during("companion", "keeper")?;
        match process::fork().during("companion", "keeper")? {
            Forked::Child => {
                drop(lifeline);
                // Who kills the whole process group must not take the keeper before the monitor.
                let _ = rustix::process::setsid();
                signal::ignore_terminal();
                let kill = cgroup.and_then(open_kill);
                let copy = rustix::io::fcntl_dupfd_cloexec(container, 3).during("companion", "keeper")?;
                let kept = [Some(&line), Some(&copy), kill.as_ref()];
                companion::forget_helper(&kept.into_iter().flatten().collect::<Vec<_>>());
                let _ = rustix::process::chdir("/");
                memory::keep(line, copy, kill)
            }
            Forked::Parent(child) => Ok(Keeper { child, lifeline: Some(lifeline) }),
        }
    }

    /// After SIGCHLD: true if somebody has killed it.
    pub fn is_gone(&self) -> bool {
        !matches!(process::wait(self.child.pid, false), Ok(None))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.lifeline = None;
        let _ = process::wait_for(self.child.pid);
    }
}

/// Opened beforehand: the keeper has no memory for names.
fn open_kill(cgroup: &Path) -> Option<OwnedFd> {
    rustix::fs::open(cgroup.join("cgroup.kill"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// A process that has ended already is not hurt: a descriptor names it, not a number.
pub fn kill(container: &OwnedFd, cgroup: Option<&Path>) {
    if let Some(path) = cgroup {
        let _ = std::fs::write(path.join("cgroup.kill"), "1");
    }
    let _ = process::send_signal(container, libc::SIGKILL);
}
