//! `exec`: one more process in a running container's namespaces.

use crate::args::{self, Argument, Global, Options};
use crate::channel::{self, Channel, Message};
use crate::failure::{During, Failure, Step};
use crate::foreground::Foreground;
use crate::init;
use crate::launch::{write_atomically, Launched};
use crate::middle::clone_through;
use crate::notify::Notifier;
use crate::plan::Plan;
use crate::process::{self, Program};
use crate::state::Saved;
use crate::streams::{self, Streams};
use crate::sys::process::{self as sys, Child};
use crate::sys::signal;
use crate::{agent, sealed, terminal, userns};
use rootless_core::lower::namespaces::{CLONE_NEWTIME, CLONE_NEWUSER, KINDS};
use rootless_core::oci::runtime::Process;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

#[derive(Default)]
struct Wish {
    process: Option<PathBuf>,
    detach: bool,
    console_socket: Option<PathBuf>,
    pid_file: Option<PathBuf>,
    preserve_fds: u32,
    tty: bool,
    user: Option<String>,
    cwd: Option<String>,
    env: Vec<String>,
    args: Vec<String>,
}

pub fn exec(global: Global) -> Step<u8> {
    let (id, wish) = parse(&global)?;
    let saved = Saved::read(&global.root, &id)?;
    let mut plan = Plan::read(&id, &saved.bundle)?;
    sealed::ensure(&plan.id_map, plan.in_user_namespace(), global.reporter.events.as_deref())?;
    let init = saved.open()?;
    if saved.status(&global.root) == "paused" {
        return Err(Failure::because("state", "cannot exec in a container that is paused").on(&id));
    }
    plan.replace_process(wanted_process(&plan.process, &wish)?)?;
    if wish.user.is_some() {
        plan.annotations.user.clone_from(&wish.user);
    }
    let signals = signal::catch().during("init", "signalfd")?;
    // Detached, nobody stays to relay.
    let streams = match plan.process.terminal || wish.detach {
        true => Streams::default(),
        false => streams::split()?,
    };
    let (child, channel) = enter(&plan, &saved, init.as_fd(), &wish, &streams.child)?;
    drop(streams.child);
    let (mut notifier, mut master) = (None, None);
    loop {
        match channel.receive(None) {
            Ok((Message::Terminal, Some(fd))) => match &wish.console_socket {
                Some(path) => terminal::hand_over(&fd, path)?,
                None => master = Some(fd),
            },
            Ok((Message::Listener, Some(fd))) if plan.annotations.single_id => {
                notifier = Some(Notifier::start(&fd, &init)?);
            }
            Ok((Message::Listener, Some(fd))) => agent::send(&plan, child.pid, &fd)?,
            Ok((Message::End, _)) => break,
            Ok((message, _)) => return Err(Failure::because("init", format!("{message:?} before exec"))),
            Err(failure) => {
                let _ = sys::wait_for(child.pid);
                return Err(failure);
            }
        }
    }
    if let Some(path) = &wish.pid_file {
        write_atomically(path, child.pid.to_string().as_bytes()).during("state", path.display())?;
    }
    if wish.detach {
        return Ok(0);
    }
    let launched = Launched { child, userns: None, terminal: master, notifier, cgroup: None, companions: Vec::new() };
    Foreground { container: &launched, signals, parent: None, is_pid_one: false, flows: streams.flows }
        .run()
        .map(sys::Ended::status)
}

fn parse(global: &Global) -> Step<(String, Wish)> {
    let mut wish = Wish::default();
    let mut id = None;
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => {
                args::only_id(&mut id, operand)?;
                let rest = given.rest().into_iter().map(|arg| arg.to_string_lossy().into_owned());
                wish.args = rest.skip_while(|arg| arg == "--").collect();
                break;
            }
            Argument::Option(name) => match name.as_str() {
                "process" | "p" => wish.process = Some(given.value()?.into()),
                "detach" | "d" => wish.detach = true,
                "console-socket" => wish.console_socket = Some(given.value()?.into()),
                "pid-file" => wish.pid_file = Some(given.value()?.into()),
                "preserve-fds" => wish.preserve_fds = given.number()?,
                "tty" | "t" => wish.tty = true,
                "user" | "u" => wish.user = Some(given.text()?),
                "cwd" => wish.cwd = Some(given.text()?),
                "env" | "e" => wish.env.push(given.text()?),
                "no-new-privs" => {}
                other => return Err(args::unknown(other)),
            },
        }
    }
    Ok((args::required(id, "container id")?, wish))
}

/// The process document that was given, or the container's own with what the flags change.
fn wanted_process(own: &Process, wish: &Wish) -> Step<Process> {
    if let Some(path) = &wish.process {
        let text = std::fs::read_to_string(path).during("bundle", path.display())?;
        return serde_json::from_str(&text).map_err(|error| Failure::because("config", error.to_string()));
    }
    let mut process = Process { terminal: wish.tty, args: wish.args.clone(), ..own.clone() };
    if process.args.is_empty() {
        return Err(Failure::because("args", "no program to run"));
    }
    process.env.extend(wish.env.iter().cloned());
    if let Some(cwd) = &wish.cwd {
        process.cwd.clone_from(cwd);
    }
    Ok(process)
}

/// Makes the new process inside the container's namespaces.
fn enter(
    plan: &Plan,
    saved: &Saved,
    init: BorrowedFd<'_>,
    wish: &Wish,
    streams: &[Option<OwnedFd>; 3],
) -> Step<(Child, Channel)> {
    let flags = different_namespaces(saved.pid);
    let join_and_clone = || {
        // Inside from here on: nothing in the container may look into this process.
        let proc = init::open_proc()?;
        sys::set_dumpable(false).and_then(|()| sys::join(init, flags)).during("clone", "namespaces")?;
        Ok((sys::clone(libc::CLONE_PARENT, None).during("clone", "process")?, proc))
    };
    clone_through(channel::pair()?, join_and_clone, |proc, theirs| {
        let failure = match story(plan, &theirs, wish, streams, flags, proc) {
            Ok(program) => program.exec(),
            Err(failure) => failure,
        };
        theirs.send_failure(&failure);
        failure
    })
}

/// Joining a user namespace that is already ours is an error in the kernel: join only what differs.
fn different_namespaces(pid: i32) -> i32 {
    let link = |pid: &str, name: &str| std::fs::read_link(format!("/proc/{pid}/ns/{name}")).ok();
    let differs = |name: &str| link(&pid.to_string(), name) != link("self", name);
    KINDS
        .iter()
        .filter(|(_, flag, name)| *flag != CLONE_NEWTIME && differs(name))
        .fold(0, |flags, (_, flag, _)| flags | flag)
}

fn story(
    plan: &Plan,
    channel: &Channel,
    wish: &Wish,
    streams: &[Option<OwnedFd>; 3],
    joined: i32,
    host_proc: OwnedFd,
) -> Step<Program> {
    for (number, stream) in (0..).zip(streams) {
        if let Some(stream) = stream {
            sys::dup_to(stream.as_fd(), number).during("console", "streams")?;
        }
    }
    rustix::process::setsid().during("init", "setsid")?;
    if joined & CLONE_NEWUSER != 0 {
        userns::become_root()?;
    }
    let root = rustix::fs::open("/", rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty())
        .during("init", "/")?;
    let identity = init::identity(plan, &root, &host_proc)?;
    process::limit(&plan.process)?;
    if plan.process.terminal {
        let master = terminal::take(identity.uid, plan.process.console_size, true)?;
        channel.send(Message::Terminal, Some(master.as_fd()))?;
    }
    let program = Program::new(&plan.process, identity.home.as_deref())?;
    init::become_program(plan, &identity, channel, wish.preserve_fds, false)?;
    Ok(program)
}
