//! `start`: lets the program of a created container go, and waits until it was executed.

use super::delete;
use crate::args::{self, Global};
use crate::channel::{Channel, Message};
use crate::failure::{During, Failure, Step};
use crate::hooks;
use crate::state::{self, Saved};
use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

pub fn start(global: Global) -> Step<u8> {
    release(&global, &args::id_alone(&global.rest)?).map(|()| 0)
}

/// The program of a created container.
pub fn release(global: &Global, id: &str) -> Step<()> {
    let saved = Saved::read(&global.root, id)?;
    match saved.status(&global.root)? {
        "created" => {}
        status => return Err(Failure::because("state", format!("cannot start a container that is {status}")).on(id)),
    }
    let plan = saved.plan(&global.root)?;
    global.reporter.debug(&format!("{id}: process {} becomes {:?}", saved.pid, plan.process.args.first()));
    let root = std::path::absolute(&global.root).during("state", global.root.display())?;
    let gate = state::gate(&root, id);
    let at = gate.display();
    rustix::process::chdir(gate.parent().unwrap_or(&gate)).during("state", &at)?;
    let address = SocketAddrUnix::new("start").during("state", &at)?;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).during("state", &at)?;
    connect(&socket, &address).during("state", &at)?;
    let channel = Channel::from_fd(socket);
    channel.send(Message::Go, None)?;
    match channel.receive(None)? {
        (Message::End, _) => {}
        (message, _) => return Err(Failure::because("init", format!("{message:?} before exec"))),
    }
    let _ = std::fs::remove_file("start");
    let running = state::standard(&plan, "running", Some(saved.pid));
    // The standard: one that fails is an error, and what runs is ended and deleted.
    hooks::run(&plan.hooks.poststart, &running, "poststart").inspect_err(|_| drop(delete::remove(global, id, true)))
}
