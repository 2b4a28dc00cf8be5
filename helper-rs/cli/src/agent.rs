//! The seccomp agent of an engine (`linux.seccomp.listenerPath`): gets the listener and the container process state.

use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use crate::state;
use crate::sys::socket;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::json;

/// Sends both in one message (config-linux.md "The Container Process State").
pub fn send(plan: &Plan, pid: i32, listener: &OwnedFd) -> Step<()> {
    let filter = plan.filter.as_ref();
    let path = filter.and_then(|filter| filter.listener_path.as_ref());
    let path = path.ok_or_else(|| Failure::because("seccomp", "SCMP_ACT_NOTIFY without a listenerPath"))?;
    let document = json!({
        // Of this document, as the standard's example and crun have it.
        "ociVersion": "0.2.0",
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": filter.map(|filter| filter.listener_metadata.clone()).unwrap_or_default(),
        "state": state::standard(plan, "creating", Some(pid)),
    });
    let address = SocketAddrUnix::new(path.as_str()).during("seccomp", path)?;
    let agent =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).during("seccomp", path)?;
    connect(&agent, &address)
        .map_err(|errno| Failure::because("seccomp", "failed to connect with seccomp agent").errno(errno).on(path))?;
    socket::send(&agent, document.to_string().as_bytes(), Some(listener.as_fd())).during("seccomp", path)
}
