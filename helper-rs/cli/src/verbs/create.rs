//! `create`: everything up to the program, which waits for `start`.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::launch::{self, LaunchOptions, Partial};
use crate::plan::Plan;
use crate::{cgroup, network, sealed, state};
use std::path::PathBuf;

pub fn create(global: Global) -> Step<u8> {
    let mut bundle = PathBuf::from(".");
    let mut id = None;
    let mut options = LaunchOptions { root: global.root.clone(), ..LaunchOptions::default() };
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) => match name.as_str() {
                "bundle" | "b" => bundle = given.value()?.into(),
                "pid-file" => options.pid_file = Some(given.value()?.into()),
                "console-socket" => options.console_socket = Some(given.value()?.into()),
                "preserve-fds" => options.preserve_fds = given.number()?,
                "no-pivot" | "no-new-keyring" => {}
                other => return Err(args::unknown(other)),
            },
        }
    }
    let id = args::required(id, "container id")?;
    let mut plan = Plan::read(&id, &bundle)?;
    if plan.process.terminal {
        args::required(options.console_socket.as_ref(), "--console-socket (process.terminal is true)")?;
    }
    if plan.annotations.networks.is_some() {
        return Err(Failure::because("config", "networks need a monitor (run --monitor)").on("$.annotations"));
    }
    sealed::ensure(&plan.id_map, plan.in_user_namespace(), global.reporter.events.as_deref())?;
    state::claim(&global.root, &id)?;
    let mut partial = Partial::default();
    let made = listen(&state::gate(&global.root, &id)).and_then(|gate| {
        options.gate = Some(gate);
        network::prepare(&mut plan, &mut options)?;
        launch::launch(&plan, options, &mut partial, &mut |_| {})
    });
    match made {
        Ok(launched) => {
            // Companions serve the container, not this process: they stay, and end with its network namespace.
            launched.companions.into_iter().for_each(std::mem::forget);
            Ok(0)
        }
        Err(failure) => {
            if let Some(path) = &partial.cgroup {
                cgroup::remove(path);
            }
            state::forget(&global.root, &id)?;
            Err(failure)
        }
    }
}

/// The socket is bound by a short relative name: state folders may be deeper than a socket address is long.
fn listen(path: &std::path::Path) -> Step<rustix::fd::OwnedFd> {
    use rustix::net::{bind, listen, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let at = path.display();
    let before =
        rustix::fs::open(".", rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty())
            .during("state", ".")?;
    rustix::process::chdir(path.parent().unwrap_or(path)).during("state", &at)?;
    let address = SocketAddrUnix::new("start").during("state", &at)?;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).during("state", &at)?;
    bind(&socket, &address).during("state", &at)?;
    listen(&socket, 1).during("state", &at)?;
    rustix::process::fchdir(before).during("state", ".")?;
    Ok(socket)
}
