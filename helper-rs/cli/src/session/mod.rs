//! The client of a container's monitor: asks on its socket, and relays the caller's streams or terminal until the end
//! (docs/contract.md, "Monitor").

mod attach;
mod exec;
mod frame;
mod watch;

use crate::failure::{During, Failure, Step};
use crate::keys::{DetachKeys, Scanner};
use crate::sys::socket::{self, MOST_FDS};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{connect as connect_to, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::termios::{isatty, tcgetwinsize};
use serde_json::{json, Value};
use std::path::Path;
use std::time::{Duration, Instant};
use watch::{News, Watch};

/// How the caller takes part.
pub struct Manner {
    pub keys: DetachKeys,
    pub stdin: bool,
    /// Signals go to the container's program.
    pub sig_proxy: bool,
    /// Its other end closes with the caller.
    pub caller: Option<OwnedFd>,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Code(u8),
    /// The keys came.
    Detached,
    /// A signal, or the end of the caller.
    Signal(i32),
}

/// `accepted` is called when the monitor has done what was asked.
pub fn open(root: &Path, id: &str, request: Value, manner: &Manner, accepted: impl FnOnce()) -> Step<End> {
    let monitor = Monitor { root, id };
    let mut connection = monitor.connect()?;
    let request = with_size(request);
    let mut watch = Watch::new(manner)?;
    connection.send(&request)?;
    let answer = match connection.answer(&mut watch)? {
        Answer::Said(answer) => answer,
        Answer::Never(end) => return Ok(end),
    };
    accepted();
    match request["op"].as_str() {
        Some("attach") => attach::run(&monitor, connection, watch, answer["tty"] == json!(true), manner),
        Some("exec") if request["detach"] == json!(true) => Ok(End::Code(0)),
        Some("exec") => exec::run(connection, watch, manner),
        _ => Ok(End::Code(0)),
    }
}

/// A request that is answered at once, without streams.
pub fn ask(root: &Path, id: &str, request: &Value) -> Step<Value> {
    let mut connection = Monitor { root, id }.connect()?;
    connection.send(request)?;
    loop {
        if let Some(end) = memchr::memchr(b'\n', &connection.read) {
            return refused(serde_json::from_slice(&connection.read[..end]).unwrap_or(Value::Null));
        }
        if !connection.receive()? {
            return Err(Failure::because("session", "the monitor ended before it answered"));
        }
    }
}

/// A program on a terminal begins with the size of the caller's.
fn with_size(mut request: Value) -> Value {
    if request["process"]["terminal"] == json!(true) && request["process"].get("consoleSize").is_none() {
        let streams = [rustix::stdio::stdout(), rustix::stdio::stdin(), rustix::stdio::stderr()];
        if let Some(size) = streams.into_iter().find(|fd| isatty(fd)).and_then(|fd| tcgetwinsize(fd).ok()) {
            request["process"]["consoleSize"] = json!({ "height": size.ws_row, "width": size.ws_col });
        }
    }
    request
}

pub struct Monitor<'a> {
    root: &'a Path,
    id: &'a str,
}

impl Monitor<'_> {
    /// Its path may be longer than a socket's may be (unix(7)): it is reached through its folder.
    fn connect(&self) -> Step<Connection> {
        let folder = self.root.join(self.id);
        let on = |errno: Errno| Failure::new("session").errno(errno).on(self.id);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&folder, flags, Mode::empty()).map_err(on)?;
        let path = format!("/proc/self/fd/{}/monitor", folder.as_raw_fd());
        let address = SocketAddrUnix::new(path.as_str()).map_err(on)?;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(on)?;
        rustix::io::retry_on_intr(|| connect_to(&socket, &address)).map_err(on)?;
        Ok(Connection { socket, read: Vec::new(), fds: Vec::new() })
    }

    /// A request whose answer says nothing new: tried once, on a connection of its own.
    fn tell(&self, request: &Value) {
        if let Ok(mut connection) = self.connect() {
            let _ = connection.send(request);
        }
    }
}

/// How often a silent monitor is looked at.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

enum Answer {
    Said(Value),
    /// Somebody lost patience.
    Never(End),
}

pub struct Connection {
    socket: OwnedFd,
    /// What came behind the last line.
    read: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Connection {
    fn send(&mut self, request: &Value) -> Step<()> {
        let text = format!("{request}\n");
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let sent =
                rustix::io::retry_on_intr(|| rustix::net::send(&self.socket, rest, rustix::net::SendFlags::NOSIGNAL));
            rest = &rest[sent.during("session", "request")?..];
        }
        Ok(())
    }

    /// The first line; descriptors that came with it are kept. A monitor that cannot answer now may be left.
    fn answer(&mut self, watch: &mut Watch<'_>) -> Step<Answer> {
        let mut stopped = false;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.read) {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return refused(serde_json::from_slice(&line).unwrap_or(Value::Null)).map(Answer::Said);
            }
            let mut fds = watch.interest();
            fds.push(PollFd::new(&self.socket, PollFlags::IN));
            match poll(&mut fds, Some(&LOOK)) {
                Err(Errno::INTR) => continue,
                Ok(0) => {
                    self.hope(&mut stopped)?;
                    continue;
                }
                result => drop(result.during("session", "poll")?),
            }
            let fired: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            let (ready, outside) = fired.split_last().unwrap_or((&false, &[]));
            for news in watch.news(outside, false)? {
                if let News::End(end) = news {
                    return Ok(Answer::Never(end));
                }
            }
            if !ready {
                continue;
            }
            if !self.receive()? {
                return Err(Failure::because("session", "the monitor ended before it answered"));
            }
        }
    }

    /// A monitor that somebody has stopped is not waited for: seen twice, since a debugger does that for a moment.
    fn hope(&self, stopped: &mut bool) -> Step<()> {
        let Some(pid) = rustix::net::sockopt::socket_peercred(&self.socket).ok().map(|peer| peer.pid) else {
            return Ok(());
        };
        let before = std::mem::replace(stopped, crate::state::is_stopped(pid.as_raw_nonzero().get()));
        if before && *stopped {
            return Err(Failure::because("session", "the monitor is stopped, and does not answer")
                .errno(Errno::TIMEDOUT)
                .on(pid.as_raw_nonzero()));
        }
        Ok(())
    }

    /// False at the end of the connection.
    fn receive(&mut self) -> Step<bool> {
        let mut block = [0; 32 << 10];
        match socket::receive_all(self.socket.as_fd(), &mut block) {
            Ok((count, fds)) => {
                self.read.extend_from_slice(&block[..count]);
                self.fds.extend(fds);
                self.fds.truncate(MOST_FDS);
                Ok(count > 0)
            }
            Err(errno) => Err(Failure::new("session").errno(errno).on("answer")),
        }
    }
}

/// The facts of a refusal are those of the step that failed in the monitor.
fn refused(answer: Value) -> Step<Value> {
    if answer["ok"] == json!(true) {
        return Ok(answer);
    }
    let text = |key: &str| answer[key].as_str().map(str::to_string);
    let step = text("step").unwrap_or_else(|| "session".to_string());
    let errno = text("errno").and_then(|name| crate::failure::errno_number(&name));
    let exit = match (step.as_str(), errno) {
        ("exec", Some(libc::ENOENT)) => 127,
        ("exec" | "user" | "cwd", _) => 126,
        _ => 125,
    };
    Err(Failure { step: step.into(), index: None, target: text("target"), errno, message: text("message"), exit })
}

/// `{"code": N}`.
fn code_of(text: &[u8]) -> Step<u8> {
    let end: Value = serde_json::from_slice(text).unwrap_or(Value::Null);
    let code = end["code"].as_u64().and_then(|code| u8::try_from(code).ok());
    code.ok_or_else(|| Failure::because("session", "the monitor did not say how it ended"))
}

fn scanner(manner: &Manner) -> Scanner {
    Scanner::new(manner.keys.clone())
}

/// Where only silence tells that all was said.
const QUIET: Duration = Duration::from_millis(100);

fn quiet_since(last: Instant) -> Duration {
    QUIET.saturating_sub(last.elapsed())
}
