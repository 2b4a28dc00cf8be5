//! Processes beside the container: the one that serves its network, and fuse-overlayfs where the kernel's overlay cannot be used.
//!
//! ```text
//!   helper ──lifeline──▶ guardian ──▶ companion ──▶ (its own children, in the background or not)
//! ```
//!
//! A companion changes its ids, and the kernel then forgets PR_SET_PDEATHSIG, so it would outlive a killed helper. Its guardian
//! changes nothing: it waits for the end of the helper, whatever way that comes (the lifeline's end of file), and takes
//! the companion and all that it started with it.

use crate::failure::{During, Failure, Step};
use crate::forwards::{self, Forwards};
use crate::keeper;
use crate::rootfs;
use crate::sys::memory;
use crate::sys::process::{self, Child, Ended, Forked};
use crate::sys::{exec, signal, socket};
use rootless_core::lower::annotations::Overlay;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{fcntl_setfl, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{socketpair, AddressFamily, SocketFlags, SocketType};
use std::ffi::CString;
use std::path::Path;

/// A process that ends with the container.
pub struct Companion {
    guardian: Child,
    name: String,
    ready: OwnedFd,
    complaints: OwnedFd,
    lifeline: Option<OwnedFd>,
    /// Asked of it when it serves.
    forwards: Option<Forwards>,
    holds_ports: bool,
    serves_network: bool,
    /// Another process of ours ends it.
    left: bool,
    /// What a guardian that was killed has left behind.
    orphans: Vec<OwnedFd>,
}

/// The descriptor that the companion may write to when it serves.
const READY_FD: i32 = 3;
/// /dev/fuse, for fuse-overlayfs.
const FUSE_FD: i32 = 4;
/// Where slirp4netns makes its socket.
const FOLDER_FD: i32 = forwards::FOLDER_FD;

impl Companion {
    /// Starts argv in the runtime's namespaces; `{pid}` is a process in the container's.
    pub fn start(argv: &[String], pid: i32, root: &Path) -> Step<Companion> {
        let (argv, forwards) = forwards::split(argv, root)?;
        let args: Vec<String> = argv.iter().map(|arg| arg.replace("{pid}", &pid.to_string())).collect();
        let folder = forwards.as_ref().map(Forwards::folder).transpose()?;
        let mut companion = Companion::spawn(&args, || match folder {
            Some(folder) => process::dup_to(folder.as_fd(), FOLDER_FD).during("companion", "folder"),
            None => Ok(()),
        })?;
        companion.holds_ports = forwards.is_some() || forwards::binds(argv);
        companion.forwards = forwards;
        companion.serves_network = true;
        Ok(companion)
    }

    /// Of its guardian.
    pub fn number(&self) -> i32 {
        self.guardian.pid
    }

    /// It is the way out, not what serves the root filesystem.
    pub fn serves_network(&self) -> bool {
        self.serves_network
    }

    /// Tells its guardian to end it, and goes on meanwhile: where it holds a port that the next container may want, not before it is gone.
    pub fn dismiss(mut self) -> Option<Companion> {
        self.hang_up();
        (!self.holds_ports).then_some(self)
    }

    /// The guardian kills the container too when the helper is gone.
    pub fn keep(&self, container: &Child) {
        // One that is gone says why when it is waited for.
        if let Some(line) = &self.lifeline {
            let _ = socket::send(line, b"k", Some(container.pidfd.as_fd()));
        }
    }

    /// From here on its end is not the container's.
    pub fn release(&self) {
        if let Some(line) = &self.lifeline {
            let _ = socket::send(line, b"r", None);
        }
    }

    /// Starts fuse-overlayfs with the ids of the container, but in the runtime's pid and mount namespaces: nothing in the
    /// container can see or signal it, and the container's pivot_root cannot take the layers and /proc away from it. So it
    /// cannot mount by itself; it serves a mount that is made for it, `/dev/fd/N` in the words of libfuse.
    pub fn start_fuse(overlay: &Overlay, target: &Path, child: &Child) -> Step<Companion> {
        let program = overlay.program.clone().unwrap_or_default();
        // Absolute: the program asks for its working directory.
        let absolute = |path: &String| Path::new(&overlay.base).join(path).display().to_string();
        let upper = overlay.upper.as_ref().map(absolute).zip(overlay.work.as_ref().map(absolute));
        let whole = Overlay { lower: overlay.lower.iter().map(absolute).collect(), ..overlay.clone() };
        let options = rootfs::layer_options(&whole, upper.as_ref());
        let args = [program, "-o".into(), options, format!("/dev/fd/{FUSE_FD}")];
        let companion = Companion::spawn(&args, || {
            process::join(child.pidfd.as_fd(), libc::CLONE_NEWUSER).during("overlay", "namespaces")?;
            crate::userns::become_root()?;
            // Opened in there: the kernel wants device and mount to belong to one user namespace.
            let device = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
                .during("overlay", "/dev/fuse")?;
            process::dup_to(device.as_fd(), FUSE_FD).during("overlay", "/dev/fuse")?;
            crate::userns::in_child(|| {
                process::join(child.pidfd.as_fd(), libc::CLONE_NEWNS).during("overlay", "namespaces")?;
                rootfs::mount_fuse(FUSE_FD, target)
            })
        })?;
        companion.wait_ready(None).map_err(|failure| Failure { step: "overlay".into(), ..failure })?;
        Ok(companion)
    }

    fn spawn(argv: &[String], prepare: impl FnOnce() -> Step<()>) -> Step<Companion> {
        let name = argv.first().cloned().unwrap_or_default();
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).during("companion", "pipe");
        let ((ready, ready_write), (complaints, complaints_write)) = (pipe()?, pipe()?);
        let (line, lifeline) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .during("companion", "socketpair")?;
        // A companion that complains a lot must not wait for a reader that only comes when it fails.
        fcntl_setfl(&complaints_write, OFlags::NONBLOCK).during("companion", "pipe")?;
        match process::fork().during("companion", &name)? {
            Forked::Child => {
                drop((ready, complaints, lifeline));
                let streams = Streams { ready: ready_write, complaints: complaints_write };
                let code = guard(argv, prepare, &streams, &line).unwrap_or_else(|failure| {
                    let _ = rustix::io::write(&streams.complaints, failure.to_string().as_bytes());
                    127
                });
                process::exit_now(code)
            }
            Forked::Parent(guardian) => Ok(Companion {
                guardian,
                name,
                ready,
                complaints,
                lifeline: Some(lifeline),
                forwards: None,
                holds_ports: true,
                serves_network: false,
                left: false,
                orphans: Vec::new(),
            }),
        }
    }

    /// Waits until it serves: it wrote to its ready descriptor, or its first process left the rest in the background.
    pub fn wait_ready(&self, watch: Option<BorrowedFd<'_>>) -> Step<()> {
        loop {
            let mut fds = vec![PollFd::new(&self.ready, PollFlags::IN)];
            fds.extend(watch.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                other => other.during("companion", &self.name)?,
            };
            if fds.get(1).is_some_and(|fd| !fd.revents().is_empty()) {
                return Err(Failure::because("parent", "the caller is gone"));
            }
            return match rustix::io::read(&self.ready, &mut [0; 64]).during("companion", &self.name)? {
                0 => Err(self.died()),
                _ => self.forwards.as_ref().map_or(Ok(()), Forwards::ask),
            };
        }
    }

    /// True if somebody has killed its guardian, or it has ended. It need not be our child.
    pub fn is_gone(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        !matches!(poll(&mut [PollFd::new(&self.guardian.pidfd, PollFlags::IN)], Some(&now)), Ok(0))
    }

    /// Hangs up with its guardian.
    pub fn line(&self) -> Option<&OwnedFd> {
        self.lifeline.as_ref()
    }

    /// The guardian is gone: what it has started serves on, and is ours to end.
    pub fn lose(&mut self) {
        let Some(line) = self.lifeline.take() else { return };
        while let Ok((1, Some(process))) = socket::receive(&line, &mut [0; 1]) {
            self.orphans.push(process);
        }
    }

    fn hang_up(&mut self) {
        if !self.left && self.is_gone() {
            self.lose();
        }
        for process in self.orphans.drain(..) {
            let _ = process::send_signal(&process, libc::SIGKILL);
        }
        let Some(line) = self.lifeline.take() else { return };
        if !self.left {
            // A launch that is given up may have a container that waits, with a copy of the line: closing ours would end nothing.
            let _ = rustix::net::shutdown(&line, rustix::net::Shutdown::Write);
        }
    }

    /// In one of two processes that have it since a fork: the other one ends it.
    pub fn leave(mut self) {
        self.left = true;
    }

    fn died(&self) -> Failure {
        let mut said = [0; 4096];
        let got = rustix::io::read(&self.complaints, &mut said).unwrap_or(0);
        let said = String::from_utf8_lossy(&said[..got]);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it ended before it served");
        Failure::because("companion", last.trim()).on(&self.name)
    }
}

impl Drop for Companion {
    /// Ends it, and waits until all of it is gone.
    fn drop(&mut self) {
        self.hang_up();
        if !self.left {
            let _ = process::wait_for(self.guardian.pid);
        }
    }
}

struct Streams {
    ready: OwnedFd,
    complaints: OwnedFd,
}

/// The guardian's life: start, say when it serves, wait for the end of the helper or of the companion.
fn guard(argv: &[String], prepare: impl FnOnce() -> Step<()>, streams: &Streams, line: &OwnedFd) -> Step<i32> {
    signal::ignore_terminal();
    // A session of its own: who kills the whole process group must not take the guardian before the companion.
    rustix::process::setsid().during("companion", "setsid")?;
    // What the companion leaves in the background becomes our child, not that of the host's pid 1.
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1)).during("companion", "subreaper")?;
    let first = match process::fork().during("companion", "fork")? {
        Forked::Child => {
            let failure = become_companion(argv, prepare, streams).err();
            let said = failure.map(|failure| failure.to_string()).unwrap_or_default();
            let _ = rustix::io::write(&streams.complaints, said.as_bytes());
            process::exit_now(127)
        }
        Forked::Parent(first) => first,
    };
    forget_helper(&[line, &first.pidfd, &streams.ready, &streams.complaints]);
    // Kept there until somebody looks, who only does when this process was killed.
    let _ = socket::send(line, b"c", Some(first.pidfd.as_fd()));
    let (mut container, mut serves) = (None, false);
    loop {
        let mut fds = vec![PollFd::new(line, PollFlags::IN)];
        if !serves {
            fds.push(PollFd::new(&first.pidfd, PollFlags::IN));
        }
        if poll(&mut fds, None).is_err() {
            continue;
        }
        if !fds[0].revents().is_empty() {
            match socket::receive(line, &mut [0; 1]) {
                Ok((1, process)) => container = process,
                _ => break,
            }
            continue;
        }
        match process::wait_for(first.pid).during("companion", "wait")? {
            Ended::Code(0) => {
                for child in children().into_iter().filter_map(|pid| process::open_pidfd(pid).ok()) {
                    let _ = socket::send(line, b"c", Some(child.as_fd()));
                }
                let _ = rustix::io::write(&streams.ready, b"b");
            }
            ended => return Ok(i32::from(ended.status())),
        }
        serves = true;
        memory::shrink();
    }
    if let Some(container) = container {
        keeper::kill(&container, None);
    }
    end_children();
    Ok(0)
}

fn become_companion(argv: &[String], prepare: impl FnOnce() -> Step<()>, streams: &Streams) -> Step<()> {
    let name = argv.first().ok_or_else(|| Failure::because("companion", "no program"))?;
    let c = |text: &String| CString::new(text.as_str()).map_err(|_| Failure::because("companion", "NUL in argument"));
    let args = argv.iter().map(c).collect::<Step<Vec<_>>>()?;
    let env = [CString::from(c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")];
    prepare()?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).during("companion", "/dev/null")?;
    rustix::stdio::dup2_stdin(&null).during("companion", "stdin")?;
    rustix::stdio::dup2_stdout(&null).during("companion", "stdout")?;
    rustix::stdio::dup2_stderr(&streams.complaints).during("companion", "stderr")?;
    process::dup_to(streams.ready.as_fd(), READY_FD).during("companion", "ready")?;
    process::cloexec_from(FUSE_FD as u32 + 1).during("companion", "close_range")?;
    signal::reset();
    // For the short time until it changes its ids.
    process::die_with_parent().during("companion", name)?;
    let path = args.first().ok_or_else(|| Failure::because("companion", "no program"))?;
    Err(Failure::new("companion").errno(exec::exec(path, &args, &env)).on(name))
}

/// Whoever waits for the end of the helper's output, of its events or of its caller must not wait for the guardian.
pub fn forget_helper(keep: &[&OwnedFd]) {
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        for number in 0..3 {
            let _ = process::dup_to(null.as_fd(), number);
        }
    }
    process::abandon_descriptors(keep);
}

/// Kills children, and theirs as they become ours, until none is left.
fn end_children() {
    for _ in 0..1000 {
        for pid in children() {
            if let Ok(pidfd) = process::open_pidfd(pid) {
                let _ = process::send_signal(&pidfd, libc::SIGKILL);
            }
        }
        match process::wait(-1, false) {
            Err(_) => return,
            Ok(Some(_)) => {}
            Ok(None) => {
                let pause = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
                let _ = poll(&mut [], Some(&pause));
            }
        }
    }
}

/// Of this process.
fn children() -> Vec<i32> {
    let list = format!("/proc/self/task/{}/children", std::process::id());
    let text = std::fs::read_to_string(list).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
