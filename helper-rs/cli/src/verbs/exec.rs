//! `exec`: one more process in a running container's namespaces.

use crate::args::{self, Argument, Global, Options};
use crate::atomic;
use crate::channel::Message;
use crate::enter::{self, Entry};
use crate::failure::{During, Failure, Step};
use crate::foreground::Foreground;
use crate::launch::Launched;
use crate::notify::Notifier;
use crate::state::Saved;
use crate::streams::{self, Streams};
use crate::sys::process as sys;
use crate::sys::signal;
use crate::{agent, cgroup, sealed, terminal};
use rootless_core::caps;
use rootless_core::lower::ranges;
use rootless_core::oci::runtime::Process;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::path::PathBuf;

#[derive(Default)]
struct Wish {
    process: Option<PathBuf>,
    detach: bool,
    console_socket: Option<PathBuf>,
    pidfd_socket: Option<PathBuf>,
    pid_file: Option<PathBuf>,
    preserve_fds: u32,
    tty: bool,
    user: Option<String>,
    groups: Vec<u32>,
    cwd: Option<String>,
    env: Vec<String>,
    caps: Vec<String>,
    no_new_privileges: bool,
    apparmor: Option<String>,
    label: Option<String>,
    /// Below the container's cgroup.
    cgroup: Option<String>,
    even_paused: bool,
    args: Vec<String>,
}

pub fn exec(global: Global) -> Step<u8> {
    let (id, wish) = parse(&global)?;
    let saved = Saved::read(&global.root, &id)?;
    let mut plan = saved.plan(&global.root)?;
    sealed::ensure(&plan.id_map, plan.in_user_namespace(), global.reporter.events.as_deref())?;
    let init = saved.open()?;
    if saved.status(&global.root)? == "paused" && !wish.even_paused {
        return Err(Failure::because("state", "cannot exec in a paused container").on(&id));
    }
    let process = wanted_process(&plan.process, &wish)?;
    if !process.cwd.is_empty() && !process.cwd.starts_with('/') {
        return Err(Failure::because("cwd", "it is not absolute").on(&process.cwd));
    }
    plan.replace_process(process);
    plan.warnings.iter().for_each(|warning| global.reporter.warning(warning));
    // The container's user is looked up by name only where a name was given.
    plan.annotations.user.clone_from(&wish.user);
    let affinity = plan.process.exec_cpu_affinity.as_ref().and_then(|affinity| affinity.initial.as_deref());
    if let Some(list) = affinity.and_then(|list| ranges::parse(list, 64)) {
        let mask = list.into_iter().fold(0_u64, |mask, cpu| mask | 1 << cpu);
        global.reporter.debug(&format!("nsexec: affinity: {mask:#x}"));
    }
    let group = cgroup_of(&saved, wish.cgroup.as_deref())?;
    let cgroup = group.as_ref().filter(|(_, folder)| cgroup::may_move(folder).is_ok()).map(|(fd, _)| fd);
    let signals = signal::catch().during("init", "signalfd")?;
    // Detached, nobody stays to relay.
    let streams = match plan.process.terminal || wish.detach {
        true => Streams::default(),
        false => streams::split()?,
    };
    let entry = Entry {
        pid: saved.pid,
        init: init.as_fd(),
        cgroup: cgroup.map(AsFd::as_fd),
        own_cgroup: group.is_some(),
        streams: &streams.child,
        preserve_fds: wish.preserve_fds,
        die_with_parent: false,
        plain_lines: wish.console_socket.is_none(),
    };
    // Where this process may not put another, systemd may.
    let join = || match (&group, &saved.scope) {
        (Some((_, folder)), Some(unit)) if cgroup.is_none() => cgroup::scope::join(unit, folder),
        _ => Ok(()),
    };
    global.reporter.debug(&format!("{id}: nsexec container setup: into the namespaces of process {}", saved.pid));
    let (child, channel) = enter::begin(&entry, || join().map(|()| &plan))?.finish()?;
    global.reporter.debug(&format!("{id}: child process in init(): {}", child.pid));
    global.reporter.debug(&format!("{id}: setns_init: about to exec {:?}", plan.process.args.first()));
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
    let told = (wish.pid_file.as_ref())
        .map_or(Ok(()), |path| {
            atomic::write_unnamed(path, child.pid.to_string().as_bytes()).during("state", path.display())
        })
        .and_then(|()| {
            wish.pidfd_socket.as_ref().map_or(Ok(()), |path| terminal::send_to(path, b"pidfd", &child.pidfd))
        });
    if let Err(failure) = told {
        let _ = sys::send_signal(&child.pidfd, libc::SIGKILL);
        return Err(failure);
    }
    if wish.detach {
        return Ok(0);
    }
    let launched = Launched {
        child,
        userns: None,
        terminal: master,
        notifier,
        cgroup: None,
        scope: None,
        resctrl: Vec::new(),
        companions: Vec::new(),
    };
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
                "additional-gids" | "g" => wish.groups.push(given.number()?),
                "cap" | "c" => wish.caps.push(given.text()?),
                "no-new-privs" => wish.no_new_privileges = true,
                "apparmor" => wish.apparmor = Some(given.text()?),
                "process-label" => wish.label = Some(given.text()?),
                "pidfd-socket" => wish.pidfd_socket = Some(given.value()?.into()),
                "cgroup" => wish.cgroup = Some(given.text()?),
                "ignore-paused" => wish.even_paused = true,
                "no-subreaper" => {}
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
        let mut process: Process =
            serde_json::from_str(&text).map_err(|error| Failure::because("config", error.to_string()))?;
        // What it does not speak of is the container's.
        process.capabilities = process.capabilities.or_else(|| own.capabilities.clone());
        if process.rlimits.is_empty() {
            process.rlimits.clone_from(&own.rlimits);
        }
        process.apparmor_profile = process.apparmor_profile.or_else(|| own.apparmor_profile.clone());
        process.selinux_label = process.selinux_label.or_else(|| own.selinux_label.clone());
        process.scheduler = process.scheduler.or_else(|| own.scheduler.clone());
        process.io_priority = process.io_priority.or_else(|| own.io_priority.clone());
        return Ok(process);
    }
    let mut process = Process { terminal: wish.tty, args: wish.args.clone(), ..own.clone() };
    if process.args.is_empty() {
        return Err(Failure::because("args", "no program to run"));
    }
    process.env.extend(wish.env.iter().cloned());
    if let Some(cwd) = &wish.cwd {
        process.cwd.clone_from(cwd);
    }
    process.user.additional_gids.extend(&wish.groups);
    process.no_new_privileges |= wish.no_new_privileges;
    process.apparmor_profile = wish.apparmor.clone().or(process.apparmor_profile);
    process.selinux_label = wish.label.clone().or(process.selinux_label);
    if let Some(unknown) = wish.caps.iter().find(|name| caps::number(name).is_none()) {
        return Err(Failure::because("args", "unknown capability").on(unknown));
    }
    let sets = process.capabilities.get_or_insert_default();
    for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
        set.extend(wish.caps.iter().cloned());
    }
    // Ambient capabilities have to be inheritable, and that is what nothing is made here.
    if !sets.inheritable.is_empty() {
        sets.ambient.extend(wish.caps.iter().cloned());
    }
    Ok(process)
}

/// Where in the container's cgroup: where its first process is, which may have moved to one below; or where was said. The folder is named
/// for those who cannot take a descriptor.
fn cgroup_of(saved: &Saved, below: Option<&str>) -> Step<Option<(OwnedFd, PathBuf)>> {
    let Some(path) = saved.cgroup.as_ref().filter(|path| path.is_dir()) else {
        return match below {
            Some(below) => Err(Failure::because("cgroup", "the container has no cgroup of its own").on(below)),
            None => Ok(None),
        };
    };
    let Some(below) = below.map(|below| below.trim_matches('/')).filter(|below| !below.is_empty()) else {
        let folder = cgroup::for_new(saved.pid, path);
        return Ok(Some((cgroup::open(&folder)?, folder)));
    };
    let own = cgroup::open(path)?;
    let folder = path.join(below);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let found = rustix::fs::openat2(&own, below, flags, Mode::empty(), resolve).during("cgroup", folder.display())?;
    Ok(Some((found, folder)))
}
