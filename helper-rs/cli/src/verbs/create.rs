//! `create`: everything up to the program, which waits for `start`.

use super::flags::{self, Place};
use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::launch::{self, LaunchOptions, Partial};
use crate::plan::Plan;
use crate::report::Reporter;
use crate::sys::process;
use crate::timing::mark;
use crate::{cgroup, hooks, network, sealed, state};

pub fn create(global: Global) -> Step<u8> {
    let (mut id, mut place, mut options) = (None, Place::default(), LaunchOptions::default());
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) if flags::take(&name, &mut given, &mut place, &mut options)? => {}
            Argument::Option(name) => return Err(args::unknown(&name)),
        }
    }
    make(&global, &args::required(id, "container id")?, &place, options).map(|()| 0)
}

/// A created container, or nothing that is left of one.
pub fn make(global: &Global, id: &str, place: &Place, mut options: LaunchOptions) -> Step<()> {
    sealed::ensure_own(global.reporter.events.as_deref())?;
    let (mut plan, text) = Plan::read_file(id, place.bundle(), &place.config())?;
    flags::pass_listeners(&mut plan, &mut options);
    let last_kept = 2 + options.preserve_fds as i32;
    process::close_inherited(|number| number <= last_kept);
    plan.warnings.iter().for_each(|warning| global.reporter.warning(warning));
    if global.no_cgroup {
        plan.linux.cgroups_path = None;
    }
    if plan.process.terminal {
        args::required(options.console_socket.as_ref(), "--console-socket (process.terminal is true)")?;
    }
    if plan.annotations.networks.is_some() {
        return Err(Failure::because("config", "networks need a monitor (run --monitor)").on("$.annotations"));
    }
    sealed::ensure(&plan.id_map, plan.in_user_namespace(), global.reporter.events.as_deref())?;
    announce(&global.reporter, &plan);
    mark("configuration checked");
    state::claim(&global.root, id)?;
    options.root.clone_from(&global.root);
    options.manager = if global.systemd { cgroup::Manager::Systemd } else { cgroup::Manager::Folders };
    let mut partial = Partial::default();
    let made = state::keep_config(&global.root, id, &text).and_then(|()| {
        options.gate = Some(listen(&state::gate(&global.root, id))?);
        network::prepare(&mut plan, &mut options)?;
        launch::launch(&plan, options, &mut partial, &mut |pid| report_made(&global.reporter, &plan, pid))
    });
    match made {
        Ok(launched) => {
            // Companions serve the container, not this process: they stay, and end with its network namespace.
            launched.companions.into_iter().for_each(std::mem::forget);
            global
                .reporter
                .debug(&format!("{id}: init: closing the pipe to signal completion: it waits to be started"));
            Ok(())
        }
        Err(failure) => {
            partial.remove_cgroup();
            hooks::run_poststop(&plan, &global.reporter);
            state::forget(&global.root, id)?;
            Err(failure)
        }
    }
}

/// With `--debug`: what is about to happen. The words are those that readers of runc's log look for.
pub fn announce(reporter: &Reporter, plan: &Plan) {
    let (id, bundle) = (&plan.id, plan.bundle.display());
    reporter.debug(&format!("{id}: nsexec container setup: {bundle} is right, its processes are made"));
    if let Some(flags) = plan.seccomp_flags() {
        reporter.debug(&format!("seccomp filter flags: {flags}"));
    }
}

/// The first process stands in its namespaces and its root.
pub fn report_made(reporter: &Reporter, plan: &Plan, pid: i32) {
    reporter.debug(&format!("{}: child process in init(): {pid} has its mounts, names and limits", plan.id));
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
