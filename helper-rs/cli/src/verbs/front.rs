//! `front`: starts the command line as a child, and becomes what it decides on. The command line reads flags, finds the image and writes
//! the bundle; then it hands over a verb's arguments and ends, so that no JavaScript engine stays beside a container or a session.
//!
//! ```text
//!   shell ─▶ front ──fork──▶ command line      a stream socket between them, the child's descriptor and the front's pid in $ROOTLESS_FRONT
//!              ◀── {"args": ["--root", …, "run", …], "input": true, "request"?: {…}} ──    at most one line; then the verb begins
//!              ◀── g ──                                    run --wait: the bundle stands
//!              ── {"event": "running"} ──▶                 the child may end; after an error it says why, and how front ends
//! ```
//!
//! A command line that hands nothing over is waited for, and its end is ours.

use crate::ahead::Ahead;
use crate::args::{self, Global};
use crate::failure::{During, Failure, Step};
use crate::monitor::stop;
use crate::sys::process::{self, Child, Forked};
use crate::sys::{exec, signal};
use crate::{crash, sealed, verbs};
use rustix::event::{poll, PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{recv, RecvFlags};
use serde::Deserialize;
use serde_json::Value;
use std::ffi::{CString, OsString};
use std::io::{Seek, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicI32, Ordering};

/// Where the command line finds its end of the socket.
const LINE_FD: i32 = 3;
/// The command line's process, as long as it was not reaped; then its exit code.
static COMMAND_LINE: AtomicI32 = AtomicI32::new(0);
static ENDED: AtomicI32 = AtomicI32::new(0);
/// Children that another process has the use of.
static OTHERS: [AtomicI32; 2] = [AtomicI32::new(0), AtomicI32::new(0)];

/// Those of what was begun: the monitor, which is a child of this process as they are, ends them.
pub fn reap_too(numbers: Option<[i32; 2]>) {
    for (place, number) in OTHERS.iter().zip(numbers.unwrap_or_default()) {
        place.store(number, Ordering::Relaxed);
    }
}

/// After SIGCHLD: a command line that has ended leaves no corpse beside what stays.
pub fn reap() {
    for place in &OTHERS {
        let number = place.load(Ordering::Relaxed);
        if number != 0 && !matches!(process::wait(number, false), Ok(None)) {
            place.store(0, Ordering::Relaxed);
        }
    }
    let pid = COMMAND_LINE.load(Ordering::Relaxed);
    if pid == 0 {
        return;
    }
    if let Ok(Some((_, ended))) = process::wait(pid, false) {
        ENDED.store(i32::from(ended.status()), Ordering::Relaxed);
        COMMAND_LINE.store(0, Ordering::Relaxed);
    }
}

/// More than any command line that the kernel takes (ARG_MAX).
const LONGEST: usize = 4 << 20;
const GULP: usize = 16 << 10;

/// What the command line hands over.
#[derive(Deserialize)]
struct Order {
    args: Vec<String>,
    /// The caller's standard input is for the verb.
    input: bool,
    /// What `session` asks for: a command line would be everybody's to read.
    request: Option<Value>,
}

pub fn front(global: &Global) -> Step<u8> {
    sealed::ensure_early()?;
    if crash::is_certain() {
        return Ok(crash::OWN_FAILURE);
    }
    let (line, theirs) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .during("init", "socketpair")?;
    // A key press reaches both; what arrives while the child decides is kept for the verb.
    let signals = signal::catch().during("init", "signalfd")?;
    let me = std::process::id();
    let child = match process::fork().during("clone", "node")? {
        Forked::Child => {
            let failure = become_command_line(&global.rest, &theirs, me);
            eprintln!("rootless: {failure}");
            process::exit_now(127)
        }
        Forked::Parent(child) => child,
    };
    drop(theirs);
    // While Node loads there is nothing else to do.
    let ahead = Ahead::guess(&global.rest);
    let Some(order) = receive(&line, &child, &signals)? else {
        drop(ahead);
        return process::wait_for(child.pid).during("wait", "node").map(crash::explain);
    };
    drop(signals);
    COMMAND_LINE.store(child.pid, Ordering::Relaxed);
    let result = carry_out(order, &line, ahead);
    // The monitor of a container is a child of this process, and comes by here too: it has said all, and knows no command line.
    if std::process::id() != me {
        process::exit_now(result.map_or_else(|failure| i32::from(failure.exit), i32::from));
    }
    match result {
        // A program's end: the command line may still be tidying up, and nobody waits for that.
        Ok(code) if code < crash::OWN_FAILURE => Ok(code),
        // It may have something to explain, and then its end is ours.
        result => {
            let said = process::wait_for(child.pid).map(|ended| i32::from(ended.status()));
            match said.unwrap_or_else(|_| ENDED.load(Ordering::Relaxed)) {
                0 => Ok(result.unwrap_or(crash::OWN_FAILURE)),
                code => Ok(code as u8),
            }
        }
    }
}

/// Runs the verb in this process. Its events, an error too, go to the command line.
fn carry_out(order: Order, line: &OwnedFd, ahead: Option<Ahead>) -> Step<u8> {
    let mut global = args::global_of(order.args.into_iter().map(OsString::from))?;
    global.ahead = ahead.filter(|_| global.verb == "run");
    if !order.input {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let null = rustix::fs::open("/dev/null", flags, Mode::empty()).during("console", "/dev/null")?;
        rustix::stdio::dup2_stdin(&null).during("console", "stdin")?;
    }
    let copy = || rustix::io::fcntl_dupfd_cloexec(line, LINE_FD).during("args", "front");
    global.reporter.events = Some(std::rc::Rc::new(copy()?));
    let (option, number) = match &order.request {
        Some(request) => ("--request-fd", number_of(sheet(request)?)),
        None => ("--parent-fd", number_of(copy()?)),
    };
    global.rest.splice(0..0, ["--front".into(), option.into(), number]);
    let reporter = global.reporter.share();
    verbs::run(global).inspect_err(|failure| reporter.failure(failure))
}

/// An open file with the request, to be read from its beginning.
fn sheet(request: &Value) -> Step<OwnedFd> {
    let file = rustix::fs::memfd_create("request", rustix::fs::MemfdFlags::CLOEXEC).during("args", "request")?;
    let mut file = std::fs::File::from(file);
    file.write_all(request.to_string().as_bytes()).and_then(|()| file.rewind()).during("args", "request")?;
    Ok(file.into())
}

/// A descriptor that is passed on by number, as if the caller had named it.
fn number_of(fd: OwnedFd) -> OsString {
    fd.into_raw_fd().to_string().into()
}

/// One line, or nothing when the child ends without a word.
fn receive(line: &OwnedFd, child: &Child, signals: &OwnedFd) -> Step<Option<Order>> {
    let (mut said, mut came) = (Vec::new(), Vec::new());
    loop {
        let watched = [line, &child.pidfd, signals];
        let mut fds = watched.map(|fd| PollFd::new(fd, PollFlags::IN));
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            other => other.during("wait", "node")?,
        };
        let [line_fired, ended, signalled] = fds.map(|fd| !fd.revents().is_empty());
        if signalled {
            pass_on(signals, child, &mut came)?;
            continue;
        }
        if !line_fired && ended {
            return Ok(None);
        }
        if !line_fired {
            continue;
        }
        // Looked at first, and taken up to the end of the line: what follows is the verb's.
        let mut room = vec![0; GULP];
        let (seen, _) = recv(line, room.as_mut_slice(), RecvFlags::PEEK).during("wait", "node")?;
        let end = room[..seen].iter().position(|byte| *byte == b'\n');
        let (taken, _) =
            recv(line, &mut room[..end.map_or(seen, |at| at + 1)], RecvFlags::empty()).during("wait", "node")?;
        match end {
            _ if taken == 0 => return Ok(None),
            Some(at) => {
                said.extend_from_slice(&room[..at]);
                break;
            }
            None if said.len() > LONGEST => return Err(Failure::because("args", "the order is too long")),
            None => said.extend_from_slice(&room[..taken]),
        }
    }
    // It had handed over before it could end: they are for the verb, which finds them waiting.
    for signal in came {
        signal::keep(signal);
    }
    serde_json::from_slice(&said).map(Some).map_err(|error| Failure::because("args", error.to_string()))
}

/// What was sent to us alone is for the command line; a key press has reached it already, and has no sender. `came`: those that end
/// a program.
fn pass_on(signals: &OwnedFd, child: &Child, came: &mut Vec<i32>) -> Step<()> {
    while let Some(caught) = signal::next(signals.as_fd()).during("wait", "signalfd")? {
        if caught.sender != 0 && caught.signal != libc::SIGCHLD {
            let _ = process::send_signal(&child.pidfd, caught.signal);
        }
        if stop::ends(caught.signal) {
            came.push(caught.signal);
        }
    }
    Ok(())
}

/// `node ARGS`, found in PATH as a shell would.
fn become_command_line(rest: &[OsString], line: &OwnedFd, front: u32) -> Failure {
    signal::reset();
    // The lowest number that is free: what the caller gave, from 3 on, keeps its own.
    let line = match rustix::io::fcntl_dupfd_cloexec(line, LINE_FD)
        .and_then(|copy| rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty()).map(|()| copy))
    {
        Ok(copy) => copy.into_raw_fd(),
        Err(errno) => return Failure::new("init").errno(errno).on("front"),
    };
    let args: Vec<CString> = std::iter::once(OsString::from("node")).chain(rest.iter().cloned()).map(exec::c).collect();
    let mut env = exec::own_environment();
    env.push(exec::c(format!("ROOTLESS_FRONT={line} {front}").into()));
    let mut errno = Errno::NOENT;
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        let Ok(path) = CString::new(folder.join("node").as_os_str().as_bytes()) else { continue };
        match exec::exec(&path, &args, &env) {
            Errno::NOENT | Errno::NOTDIR => {}
            other => errno = other,
        }
    }
    Failure::new("exec").errno(errno).on("node").exit(127)
}
