//! `exec`: one more process in a running container's namespaces.

use crate::args::{self, Argument, Global, Options};
use crate::channel::Message;
use crate::enter::{self, Entry};
use crate::failure::{During, Failure, Step};
use crate::foreground::Foreground;
use crate::launch::{write_atomically, Launched};
use crate::notify::Notifier;
use crate::plan::Plan;
use crate::state::Saved;
use crate::streams::{self, Streams};
use crate::sys::process as sys;
use crate::sys::signal;
use crate::{agent, sealed, terminal};
use rootless_core::oci::runtime::Process;
use rustix::fd::AsFd;
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
    let entry = Entry {
        pid: saved.pid,
        init: init.as_fd(),
        cgroup: None,
        streams: &streams.child,
        preserve_fds: wish.preserve_fds,
        die_with_parent: false,
    };
    let (child, channel) = enter::begin(&entry, || Ok(&plan))?.finish()?;
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
