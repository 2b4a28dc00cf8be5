//! Between the holder and those who are connected with it: one JSON document a message, with descriptors.

use super::STEP;
use crate::failure::{During, Failure, Step};
use crate::sys::socket;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_timeout, Timeout};
use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::{json, Value};
use std::path::Path;
use std::time::Duration;

/// The socket in the folder of networks.
pub const NAME: &str = "holder";
/// The longest message; the kernel's default lets no longer one pass.
pub const MOST: usize = 200 << 10;
/// A holder that is alive answers at once.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Connects; folders may be deeper than a socket address is long.
pub fn dial(directory: &Path) -> Result<OwnedFd, Errno> {
    let folder = open_folder(directory)?;
    let address = address(&folder)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    connect(&socket, &address)?;
    Ok(socket)
}

pub fn open_folder(directory: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

pub fn address(folder: &OwnedFd) -> Result<SocketAddrUnix, Errno> {
    use rustix::fd::AsRawFd;
    SocketAddrUnix::new(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()))
}

/// A request and its answer.
pub fn ask(holder: &OwnedFd, request: &Value, fds: &[BorrowedFd<'_>]) -> Step<(Value, Vec<OwnedFd>)> {
    say(holder, request, fds)?;
    hear(holder)
}

pub fn say(to: &OwnedFd, message: &Value, fds: &[BorrowedFd<'_>]) -> Step<()> {
    socket::send_all(to, message.to_string().as_bytes(), fds).during(STEP, NAME)
}

/// The next answer; one that is a failure is the `Err`.
pub fn hear(from: &OwnedFd) -> Step<(Value, Vec<OwnedFd>)> {
    let mut buffer = vec![0; MOST];
    let (got, fds) = socket::receive_all(from, &mut buffer).during(STEP, NAME)?;
    if got == 0 {
        return Err(Failure::new(STEP).errno(Errno::PIPE).on(NAME));
    }
    let value: Value =
        serde_json::from_slice(&buffer[..got]).map_err(|error| Failure::because(STEP, error.to_string()).on(NAME))?;
    match value["failure"].as_str() {
        Some(packed) => Err(Failure::unpack(packed.as_bytes())),
        None => Ok((value, fds)),
    }
}

/// What is attached now: `network state`.
pub fn state(directory: &Path) -> Step<Value> {
    let Ok(holder) = dial(directory) else { return Ok(json!([])) };
    say(&holder, &json!({ "op": "state" }), &[])?;
    let mut all = Vec::new();
    loop {
        match hear(&holder)?.0 {
            Value::Object(one) if one.contains_key("id") => all.push(Value::Object(one)),
            _ => return Ok(Value::Array(all)),
        }
    }
}
