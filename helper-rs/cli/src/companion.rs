//! Processes beside the container: the one that serves its network, and fuse-overlayfs where the kernel's overlay cannot be used.

use crate::failure::{During, Failure, Step};
use crate::sys::process::{self, Child, Forked};
use crate::sys::{exec, signal};
use rootless_core::lower::annotations::Overlay;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CString;
use std::path::Path;

/// A process that ends with the container.
pub struct Companion {
    child: Child,
    name: String,
    ready: OwnedFd,
    complaints: OwnedFd,
}

/// The descriptor that the companion writes to, or closes, when it serves.
const READY_FD: i32 = 3;

impl Companion {
    /// Starts argv in the runtime's namespaces; `{pid}` is the container's process.
    pub fn start(argv: &[String], pid: i32) -> Step<Companion> {
        let args: Vec<String> = argv.iter().map(|arg| arg.replace("{pid}", &pid.to_string())).collect();
        Companion::spawn(&args, || Ok(()))
    }

    /// Starts fuse-overlayfs inside the container's user and mount namespaces, but outside its pid namespace, where nothing
    /// in the container can see or signal it.
    pub fn start_fuse(overlay: &Overlay, target: &Path, child: &Child) -> Step<Companion> {
        let program = overlay.program.clone().unwrap_or_default();
        let mut options = format!("lowerdir={}", overlay.lower.join(":"));
        if let (Some(upper), Some(work)) = (&overlay.upper, &overlay.work) {
            options.push_str(&format!(",upperdir={upper},workdir={work}"));
        }
        let args = [program, "-f".into(), "-o".into(), options, target.display().to_string()];
        let companion = Companion::spawn(&args, || {
            rustix::process::chdir(&overlay.base).during("overlay", &overlay.base)?;
            let here = rustix::fs::open(".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).during("overlay", ".")?;
            process::join(child.pidfd.as_fd(), libc::CLONE_NEWUSER | libc::CLONE_NEWNS)
                .during("overlay", "namespaces")?;
            rustix::process::fchdir(here).during("overlay", &overlay.base)?;
            crate::userns::become_root()
        })?;
        companion.wait_for_mount(target)?;
        Ok(companion)
    }

    fn spawn(argv: &[String], prepare: impl FnOnce() -> Step<()>) -> Step<Companion> {
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during("companion", "pipe");
        let ((ready, ready_write), (complaints, complaints_write)) = (pipe()?, pipe()?);
        let name = argv.first().cloned().unwrap_or_default();
        let c =
            |text: &String| CString::new(text.as_str()).map_err(|_| Failure::because("companion", "NUL in argument"));
        let args = argv.iter().map(c).collect::<Step<Vec<_>>>()?;
        let env: Vec<CString> =
            vec![CString::from(c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")];
        match process::fork().during("companion", &name)? {
            Forked::Child => {
                let run = || -> Step<Failure> {
                    prepare()?;
                    let null =
                        rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).during("companion", "/dev/null")?;
                    rustix::stdio::dup2_stdin(&null).during("companion", "stdin")?;
                    rustix::stdio::dup2_stdout(&null).during("companion", "stdout")?;
                    rustix::stdio::dup2_stderr(&complaints_write).during("companion", "stderr")?;
                    process::dup_to(ready_write.as_fd(), READY_FD).during("companion", "ready")?;
                    signal::reset();
                    process::die_with_parent().during("companion", &name)?;
                    let path = args.first().ok_or_else(|| Failure::because("companion", "no program"))?;
                    Ok(Failure::new("companion").errno(exec::exec(path, &args, &env)).on(&name))
                };
                let failure = run().unwrap_or_else(|failure| failure);
                let _ = rustix::io::write(&complaints_write, failure.to_string().as_bytes());
                process::exit_now(127)
            }
            Forked::Parent(child) => Ok(Companion { child, name, ready, complaints }),
        }
    }

    /// Waits until it serves: a byte, or the end of the file with the process alive.
    pub fn wait_ready(&self, watch: Option<BorrowedFd<'_>>) -> Step<()> {
        loop {
            let mut fds = vec![PollFd::new(&self.ready, PollFlags::IN), PollFd::new(&self.child.pidfd, PollFlags::IN)];
            fds.extend(watch.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                other => other.during("companion", &self.name)?,
            };
            let fired: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if fired.get(2) == Some(&true) {
                return Err(Failure::because("parent", "the caller is gone"));
            }
            if fired[0] && rustix::io::read(&self.ready, &mut [0; 64]).during("companion", &self.name)? > 0 {
                return Ok(());
            }
            if fired[1] {
                return Err(self.died());
            }
            if fired[0] {
                return Ok(());
            }
        }
    }

    fn wait_for_mount(&self, target: &Path) -> Step<()> {
        let mounts = format!("/proc/{}/mountinfo", self.child.pid);
        let wanted = format!(" {} ", target.display());
        loop {
            let text = std::fs::read_to_string(&mounts).unwrap_or_default();
            if text.lines().any(|line| line.contains(" - fuse") && line.contains(&wanted)) {
                return Ok(());
            }
            let pause = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            let mut fds = [PollFd::new(&self.child.pidfd, PollFlags::IN)];
            if poll(&mut fds, Some(&pause)).unwrap_or(0) > 0 {
                return Err(Failure { step: "overlay".into(), ..self.died() });
            }
        }
    }

    fn died(&self) -> Failure {
        let mut said = [0; 4096];
        let got = rustix::io::read(&self.complaints, &mut said).unwrap_or(0);
        let said = String::from_utf8_lossy(&said[..got]);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("ended before it served");
        Failure::because("companion", last.trim()).on(&self.name)
    }
}

impl Drop for Companion {
    /// Ends it, and waits until it is gone.
    fn drop(&mut self) {
        let _ = process::send_signal(&self.child.pidfd, libc::SIGKILL);
        let _ = process::wait_for(self.child.pid);
    }
}
