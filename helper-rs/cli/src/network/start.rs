//! How a holder begins: a process of its own session in H, started by whoever needs it first.

use super::STEP;
use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Forked};
use crate::sys::{exec, signal};
use crate::userns::{self, IdMap};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{pipe_with, PipeFlags};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Where it lives.
pub enum Namespaces<'a> {
    /// A new H, with these ids.
    New(&'a IdMap),
    /// In the caller's own user namespace.
    Own,
    /// Those of a holder that was killed: H, if there is one, and B.
    Before(Option<&'a OwnedFd>, &'a OwnedFd),
}

const READY: i32 = 3;
const ROOM: i32 = 4;
/// What it says when it listens; anything else is a failure.
pub const LISTENS: &[u8] = b"listens";

/// Answers when it listens.
pub fn start(directory: &Path, namespaces: Namespaces<'_>) -> Step<()> {
    let (ready, said) = pipe_with(PipeFlags::CLOEXEC).during(STEP, "pipe")?;
    match process::fork().during(STEP, "holder")? {
        Forked::Child => {
            drop(ready);
            if let Err(failure) = become_holder(directory, &namespaces, &said) {
                let _ = rustix::io::write(&said, failure.pack().as_bytes());
            }
            process::exit_now(0)
        }
        Forked::Parent(first) => {
            drop(said);
            // The holder is nobody's child: it stays when this container goes.
            process::wait_for(first.pid).during(STEP, "holder")?;
            let mut buffer = [0; 4096];
            let got = rustix::io::retry_on_intr(|| rustix::io::read(&ready, &mut buffer)).during(STEP, "holder")?;
            match &buffer[..got] {
                LISTENS => Ok(()),
                [] => Err(Failure::because(STEP, "the holder ended before it served")),
                failure => Err(Failure::unpack(failure)),
            }
        }
    }
}

fn become_holder(directory: &Path, namespaces: &Namespaces<'_>, said: &OwnedFd) -> Step<()> {
    rustix::process::setsid().during(STEP, "setsid")?;
    let _ = rustix::process::chdir("/");
    match namespaces {
        Namespaces::New(map) => userns::enter(map, 0)?,
        Namespaces::Own | Namespaces::Before(None, _) => {}
        Namespaces::Before(Some(userns), _) => {
            process::join(userns.as_fd(), libc::CLONE_NEWUSER).during(STEP, "user namespace")?;
            userns::become_root()?;
        }
    }
    match process::fork().during(STEP, "holder")? {
        Forked::Parent(_) => Ok(()),
        Forked::Child => Err(execute(directory, namespaces, said)),
    }
}

/// Returns only the reason why it could not.
fn execute(directory: &Path, namespaces: &Namespaces<'_>, said: &OwnedFd) -> Failure {
    let result = (|| {
        // Above the numbers that they are going to have.
        let high = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 16).during(STEP, "descriptors");
        let said = high(said)?;
        let room = match namespaces {
            Namespaces::Before(_, room) => Some(high(room)?),
            _ => None,
        };
        let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).during(STEP, "/dev/null")?;
        for number in 0..3 {
            process::dup_to(null.as_fd(), number).during(STEP, "/dev/null")?;
        }
        process::dup_to(said.as_fd(), READY).during(STEP, "descriptors")?;
        let mut args = vec![c"rootless-helper".into(), c"network".into(), c"serve".into(), c"--directory".into()];
        args.push(CString::new(directory.as_os_str().as_bytes()).unwrap_or_default());
        args.extend([CString::from(c"--ready-fd"), c"3".into()]);
        if let Some(room) = &room {
            process::dup_to(room.as_fd(), ROOM).during(STEP, "descriptors")?;
            args.extend([CString::from(c"--room-fd"), c"4".into()]);
        }
        if !matches!(namespaces, Namespaces::Own | Namespaces::Before(None, _)) {
            args.push(c"--userns".into());
        }
        process::cloexec_from(if room.is_some() { 5 } else { 4 }).during(STEP, "close_range")?;
        signal::reset();
        let errno = exec::exec(c"/proc/self/exe", &args, &[]);
        Err::<(), Failure>(Failure::new(STEP).errno(errno).on("rootless-helper"))
    })();
    result.err().unwrap_or_else(|| Failure::new(STEP))
}
