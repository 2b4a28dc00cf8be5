//! Terminals: the container's own pseudo terminal, and the caller's in raw mode around it.

use crate::devices;
use crate::failure::{During, Step};
use crate::inside::{self, Missing};
use crate::sys::{process, socket};
use rootless_core::oci::runtime::ConsoleSize;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{ioctl_tiocgptpeer, OpenptFlags};
use rustix::termios::{isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize, OptionalActions, Termios, Winsize};
use std::path::Path;
use std::time::Duration;

/// For an engine that is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// In the container: opens a pair in its own devpts, makes it the controlling terminal and the three standard streams,
/// and answers the master.
pub fn take(uid: u32, size: Option<ConsoleSize>, foreign_dev: bool, plain: bool) -> Step<OwnedFd> {
    let master = open_master().during("console", "/dev/pts/ptmx")?;
    rustix::pty::unlockpt(&master).during("console", "unlock")?;
    // By the master, not by name: a name can be replaced.
    let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).during("console", "peer")?;
    if let Some(size) = size.filter(|size| size.height > 0) {
        let most = |count: u64| u16::try_from(count).unwrap_or(u16::MAX);
        let size = Winsize { ws_row: most(size.height), ws_col: most(size.width), ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).during("console", "size")?;
    }
    if plain {
        plain_lines(&master);
    }
    devices::own_terminal(&slave, uid)?;
    if !foreign_dev {
        devices::bind_console(&slave)?;
    }
    rustix::process::ioctl_tiocsctty(&slave).during("console", "controlling terminal")?;
    for number in 0..3 {
        process::dup_to(slave.as_fd(), number).during("console", "streams")?;
    }
    Ok(master)
}

/// In a container that runs already (`exec`), /dev is its root's to change: only a real devpts gives a terminal.
fn open_master() -> Result<OwnedFd, rustix::io::Errno> {
    const DEVPTS: rustix::fs::FsWord = 0x1cd1;
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let pts = inside::open(&root, "/dev/pts", Missing::Refuse, false)?;
    if rustix::fs::fstatfs(&pts)?.f_type != DEVPTS {
        return Err(rustix::io::Errno::NODEV);
    }
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(&pts, "ptmx", flags, Mode::empty())
}

/// For pid 1 under `--init`: it keeps neither terminal nor pipes open, so that their readers see the program's end.
pub fn give_up() {
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        for number in 0..3 {
            let _ = process::dup_to(null.as_fd(), number);
        }
    }
}

/// Hands the master to an engine (`--console-socket`): one message, the terminal's name and the descriptor.
pub fn hand_over(master: &OwnedFd, path: &std::path::Path) -> Step<()> {
    send_to(path, b"/dev/ptmx", master)
}

/// One message with a descriptor to a listening socket.
pub fn send_to(path: &std::path::Path, message: &[u8], fd: &OwnedFd) -> Step<()> {
    use rustix::fs::{open, Mode, OFlags};
    use rustix::net::sockopt::{set_socket_timeout, Timeout};
    use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let at = path.display();
    // By its folder: a path may be longer than a socket address.
    let (folder, name) = (path.parent().filter(|folder| !folder.as_os_str().is_empty()), path.file_name());
    let folder = open(folder.unwrap_or(Path::new(".")), OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let folder = folder.during("console", &at)?;
    let near = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), name.unwrap_or_default().to_string_lossy());
    let address = SocketAddrUnix::new(near).during("console", &at)?;
    let engine =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).during("console", &at)?;
    // An engine that takes no connection is not waited for without end.
    set_socket_timeout(&engine, Timeout::Send, Some(PATIENCE)).during("console", &at)?;
    connect(&engine, &address).during("console", &at)?;
    socket::send(&engine, message, Some(fd.as_fd())).during("console", &at)
}

/// The caller's terminal in raw mode; restored when dropped.
pub struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    /// `None` if the descriptor is no terminal.
    pub fn enter(fd: BorrowedFd<'_>) -> Option<Raw> {
        let before = tcgetattr(fd).ok()?;
        let terminal = rustix::io::fcntl_dupfd_cloexec(fd, 3).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &raw).ok()?;
        Some(Raw { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// After the detach keys: what the shell says next begins a line of its own. A terminal that takes nothing now is not waited for.
pub fn end_line() {
    let streams = [rustix::stdio::stderr(), rustix::stdio::stdout()];
    if let Some(terminal) = streams.into_iter().find(|fd| isatty(fd)) {
        end_line_on(terminal);
    }
}

fn end_line_on(terminal: BorrowedFd<'_>) {
    let mut wanted = [PollFd::new(&terminal, PollFlags::OUT)];
    if poll(&mut wanted, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
        let _ = rustix::io::write(terminal, b"\r\n");
    }
}

/// Where the caller's output is no terminal, lines end as the program wrote them.
fn plain_lines(master: &OwnedFd) {
    if isatty(rustix::stdio::stdout()) {
        return;
    }
    if let Ok(mut settings) = tcgetattr(master) {
        settings.output_modes -= rustix::termios::OutputModes::ONLCR;
        let _ = tcsetattr(master, OptionalActions::Now, &settings);
    }
}

/// Gives the container's terminal the size of the caller's, wherever one of its streams is a terminal.
pub fn copy_size(master: &OwnedFd) {
    let streams = [rustix::stdio::stdout(), rustix::stdio::stdin(), rustix::stdio::stderr()];
    if let Some(size) = streams.iter().find(|fd| isatty(fd)).and_then(|fd| tcgetwinsize(fd).ok()) {
        let _ = tcsetwinsize(master, size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_ended_on_a_terminal_that_takes_it() {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        let _raw = Raw::enter(slave.as_fd()).unwrap();
        end_line_on(slave.as_fd());
        let mut said = [0; 8];
        let count = rustix::io::read(&master, &mut said).unwrap();
        assert_eq!(&said[..count], b"\r\n");
    }

    #[test]
    fn a_stopped_terminal_is_not_waited_for() {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::termios::tcflow(&slave, rustix::termios::Action::OOff).unwrap();
        end_line_on(slave.as_fd());
    }
}
