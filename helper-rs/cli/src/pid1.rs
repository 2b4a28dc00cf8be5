//! pid 1 of `--init`: the helper itself, after exec.

use crate::failure::{During, Step};
use crate::sys::{process, signal};
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fd::AsFd;

/// argv[0] under which the helper is pid 1 of `--init`.
pub const INIT_NAME: &std::ffi::CStr = c"rootless-init";

/// pid 1 of `--init`, after exec: forwards signals to its one child, reaps everything, and ends as that child did.
pub fn reap(child: i32) -> Step<u8> {
    let signals = signal::catch().during("init", "signalfd")?;
    loop {
        while let Ok(Some((pid, ended))) = process::wait(-1, false) {
            if pid == child {
                return Ok(ended.status());
            }
        }
        let _ = poll(&mut [PollFd::new(&signals, PollFlags::IN)], None);
        while let Ok(Some(caught)) = signal::next(signals.as_fd()) {
            if caught.signal != libc::SIGCHLD {
                let _ = process::open_pidfd(child).and_then(|pidfd| process::send_signal(pidfd, caught.signal));
            }
        }
    }
}
