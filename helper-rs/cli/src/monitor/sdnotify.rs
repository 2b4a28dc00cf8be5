//! The service manager is told when the container serves (sd_notify(3)): when it runs, when it is healthy, or when the program
//! in it says so. In words that name this process: it is the one that the manager can watch.

use super::options::{Notify, NotifyMode};
use super::Monitor;
use crate::failure::{During, Step};
use crate::plan::Plan;
use rootless_core::lower::mounts::{self, MountOp};
use rootless_core::oci::runtime::Mount;
use rustix::fd::OwnedFd;
use rustix::fs::{chmodat, AtFlags, Mode, OFlags, CWD};
use rustix::io::Errno;
use rustix::net::{
    bind, recv, sendto, socket_with, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use std::path::{Path, PathBuf};

/// Where the program finds the socket, as in podman.
const INSIDE: &str = "/run/notify";
const NAME: &str = "notify.sock";
/// Messages of the program that are read in one turn: it may send them faster than they can be passed on.
const AT_ONCE: usize = 8;

pub struct Notifier {
    mode: NotifyMode,
    manager: String,
    /// What the program says (`container`).
    ear: Option<OwnedFd>,
    folder: PathBuf,
    ready: bool,
}

impl Notifier {
    pub fn new(wish: &Notify, bundle: &Path) -> Step<Notifier> {
        let folder = bundle.join("notify");
        let ear = match wish.mode {
            NotifyMode::Container => Some(listen(&folder)?),
            _ => None,
        };
        Ok(Notifier { mode: wish.mode, manager: wish.socket.clone(), ear, folder, ready: false })
    }

    pub fn ear(&self) -> Option<&OwnedFd> {
        self.ear.as_ref()
    }

    /// The socket's folder is mounted into the container, and named in its environment.
    pub fn prepare(&self, plan: &mut Plan) {
        if self.ear.is_none() {
            return;
        }
        let mount = Mount {
            destination: INSIDE.into(),
            kind: Some("bind".into()),
            source: Some(self.folder.display().to_string()),
            options: ["bind", "nosuid", "nodev", "noexec"].map(str::to_string).to_vec(),
            ..Mount::default()
        };
        let op: Option<MountOp> = mounts::lower(plan.mounts.len(), &mount, false).ok();
        plan.mounts.extend(op);
        plan.process.env.retain(|entry| !entry.starts_with("NOTIFY_SOCKET="));
        plan.process.env.push(format!("NOTIFY_SOCKET={INSIDE}/{NAME}"));
    }

    fn say_ready(&mut self) {
        if !std::mem::replace(&mut self.ready, true) {
            self.send(&format!("MAINPID={}\nREADY=1\n", std::process::id()));
        }
    }

    fn send(&self, text: &str) {
        let address = match self.manager.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
            None => SocketAddrUnix::new(self.manager.as_str()),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None);
        // A manager that does not listen is no reason to end.
        if let (Ok(address), Ok(socket)) = (address, socket) {
            let _ = sendto(socket, text.as_bytes(), SendFlags::NOSIGNAL, &address);
        }
    }

    /// Passes on what the program says; what is left then is for the next turn.
    fn pass_on(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..AT_ONCE {
            let Some(ear) = &self.ear else { return };
            match recv(ear, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((got, _)) => {
                    let said = words(&String::from_utf8_lossy(&buffer[..got]));
                    if !said.is_empty() {
                        self.send(&said);
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        if self.ear.is_some() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Only what has a meaning outside: process numbers of the container have none, and descriptors are not passed.
fn words(said: &str) -> String {
    const KNOWN: &[&str] = &[
        "READY",
        "RELOADING",
        "STOPPING",
        "STATUS",
        "ERRNO",
        "MONOTONIC_USEC",
        "WATCHDOG",
        "WATCHDOG_USEC",
        "EXTEND_TIMEOUT_USEC",
    ];
    let known = |line: &&str| line.split_once('=').is_some_and(|(key, _)| KNOWN.contains(&key));
    let lines: Vec<&str> = said.lines().filter(known).collect();
    let mut out: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if lines.contains(&"READY=1") {
        out.push_str(&format!("MAINPID={}\n", std::process::id()));
    }
    out
}

/// Open to every user of the container; the bundle's folder is closed to those of the host.
fn listen(folder: &Path) -> Step<OwnedFd> {
    let at = folder.display();
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir(folder).during("state", &at)?;
    chmodat(CWD, folder, Mode::from_raw_mode(0o755), AtFlags::empty()).during("state", &at)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let before = rustix::fs::open(".", flags, Mode::empty()).during("state", ".")?;
    rustix::process::chdir(folder).during("state", &at)?;
    let bound = || -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        bind(&socket, &SocketAddrUnix::new(NAME)?)?;
        chmodat(CWD, NAME, Mode::from_raw_mode(0o777), AtFlags::empty())?;
        Ok(socket)
    };
    let socket = bound();
    rustix::process::fchdir(before).during("state", ".")?;
    socket.during("state", &at)
}

impl Monitor {
    pub fn notify_running(&mut self) {
        self.notify_in(NotifyMode::Conmon);
    }

    pub fn notify_healthy(&mut self) {
        self.notify_in(NotifyMode::Healthy);
    }

    fn notify_in(&mut self, mode: NotifyMode) {
        if let Some(notifier) = self.notifier.as_mut().filter(|notifier| notifier.mode == mode) {
            notifier.say_ready();
        }
    }

    pub fn notify_words(&mut self) {
        if let Some(notifier) = &mut self.notifier {
            notifier.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_never_falls_silent_does_not_keep_the_monitor() {
        let folder = std::env::temp_dir().join(format!("notify-flood-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (ear, mouth) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let mut notifier = Notifier {
            mode: NotifyMode::Container,
            manager: folder.join("nobody").display().to_string(),
            ear: Some(ear.into()),
            folder,
            ready: false,
        };
        mouth.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while sent < AT_ONCE + 2 && mouth.send(b"STATUS=on").is_ok() {
            sent += 1;
        }
        notifier.pass_on();
        let left = |notifier: &Notifier| {
            let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
            recv(notifier.ear.as_ref().unwrap(), &mut [0; 16][..], flags).is_ok()
        };
        assert_eq!(left(&notifier), sent > AT_ONCE, "{sent} were sent");
        notifier.pass_on();
        assert!(!left(&notifier));
    }

    #[test]
    fn process_numbers_of_the_container_stay_inside() {
        let me = std::process::id();
        assert_eq!(
            words("MAINPID=7\nREADY=1\nSTATUS=on\nFDSTORE=1\nnonsense"),
            format!("READY=1\nSTATUS=on\nMAINPID={me}\n")
        );
        assert_eq!(words("STOPPING=1"), "STOPPING=1\n");
        assert_eq!(words("READY=10\n"), "READY=10\n");
        assert_eq!(words("BARRIER=1"), "");
    }
}
