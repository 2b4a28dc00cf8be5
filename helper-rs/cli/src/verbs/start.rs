//! `start`: lets the program of a created container go, and waits until it was executed.

use crate::args::{self, Global};
use crate::channel::{Channel, Message};
use crate::failure::{During, Failure, Step};
use crate::hooks;
use crate::plan::Plan;
use crate::state::{self, Saved};
use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

pub fn start(global: Global) -> Step<u8> {
    let id = args::id_alone(&global.rest)?;
    let saved = Saved::read(&global.root, &id)?;
    match saved.status(&global.root) {
        "created" => {}
        status => return Err(Failure::because("state", format!("cannot start a container that is {status}")).on(&id)),
    }
    let gate = state::gate(&global.root, &id);
    let at = gate.display();
    rustix::process::chdir(gate.parent().unwrap_or(&gate)).during("state", &at)?;
    let address = SocketAddrUnix::new("start").during("state", &at)?;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).during("state", &at)?;
    connect(&socket, &address).during("state", &at)?;
    let channel = Channel::from_fd(socket);
    channel.send(Message::Go, None)?;
    loop {
        match channel.receive(None)? {
            (Message::End, _) => break,
            (Message::Listener, Some(listener)) => forward_listener(&saved, &listener)?,
            (message, _) => return Err(Failure::because("init", format!("{message:?} before exec"))),
        }
    }
    let _ = std::fs::remove_file("start");
    let plan = Plan::read(&id, &saved.bundle)?;
    hooks::run(&plan.hooks.poststart, &state::standard(&plan, "running", Some(saved.pid)), "poststart")?;
    Ok(0)
}

/// `linux.seccomp.listenerPath`: the engine's agent gets the descriptor with the container process state
/// (config-linux.md "Seccomp", runtime.md).
fn forward_listener(saved: &Saved, listener: &rustix::fd::OwnedFd) -> Step<()> {
    let plan = Plan::read(&saved.id, &saved.bundle)?;
    crate::agent::send(&plan, saved.pid, listener)
}
