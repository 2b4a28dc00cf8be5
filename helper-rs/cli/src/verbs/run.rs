//! `run`: create, start, wait, delete; the helper stays as the container's monitor.

use crate::args::{self, Argument, Global, Options};
use crate::cgroup;
use crate::failure::{During, Failure, Step};
use crate::launch::{self, LaunchOptions, Partial};
use crate::layers::remove::remove_tree;
use crate::monitor::Monitor;
use crate::plan::Plan;
use crate::streams::{self, Streams};
use crate::sys::process::Ended;
use crate::sys::signal;
use crate::userns::{self, IdMap};
use crate::{hooks, sealed, state};
use rustix::fd::OwnedFd;
use serde_json::json;
use std::path::{Path, PathBuf};

pub fn run(global: Global) -> Step<u8> {
    let mut bundle = PathBuf::from(".");
    let (mut id, mut parent, mut remove) = (None, None, false);
    let (mut early, mut wait) = (None, false);
    let mut options = LaunchOptions { die_with_parent: true, root: global.root.clone(), ..LaunchOptions::default() };
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) => match name.as_str() {
                "bundle" | "b" => bundle = given.value()?.into(),
                "rm" => remove = true,
                "idmap" => early = Some(IdMap::parse(&given.text()?)?),
                "wait" => wait = true,
                "parent-fd" => parent = Some(given.number()?),
                "pid-file" => options.pid_file = Some(given.value()?.into()),
                "console-socket" => options.console_socket = Some(given.value()?.into()),
                "preserve-fds" => options.preserve_fds = given.number()?,
                "no-pivot" | "no-new-keyring" | "keep" => {}
                other => return Err(args::unknown(other)),
            },
        }
    }
    let id = args::required(id, "container id")?;
    let read = match &early {
        Some(map) => sealed::ensure(map, true, global.reporter.events.as_ref()).map(|()| None)?,
        None => Some(read(&id, &bundle, &global)?),
    };
    // From here on a signal waits for the monitor, and the end of the caller is noticed.
    let signals = signal::catch().during("init", "signalfd")?;
    let parent: Option<OwnedFd> = parent.map(args::fd).transpose()?;
    let mut plan = match read {
        Some(plan) => plan,
        None => {
            let map = early.unwrap_or_default();
            options.userns = Some(userns::prepare(&map)?);
            if wait {
                wait_for_byte(args::required(parent.as_ref(), "--parent-fd")?)?;
            }
            let plan = Plan::read(&id, &bundle)?;
            if !plan.new_user_namespace() || plan.id_map != map {
                return Err(Failure::because("config", "--idmap is not the bundle's mapping").on("$.linux.uidMappings"));
            }
            plan
        }
    };
    if let Some(fd) = &parent {
        options.parent = Some(rustix::io::fcntl_dupfd_cloexec(fd, 3).during("args", "parent-fd")?);
    }
    state::claim(&global.root, &id)?;
    let mut partial = Partial::default();
    let result = plan.stand_nearby().and_then(|()| live(&global, &plan, options, signals, parent, &mut partial));
    clean(&global, &plan, remove, &partial)?;
    let (ended, oom) = result?;
    let mut event = json!({ "event": "exit", "code": ended.status() });
    if let Ended::Signal(number) = ended {
        event["signal"] = json!(number);
    }
    if oom {
        event["oom"] = json!(true);
    }
    global.reporter.event(&event);
    Ok(ended.status())
}

fn read(id: &str, bundle: &Path, global: &Global) -> Step<Plan> {
    let plan = Plan::read(id, bundle)?;
    sealed::ensure(&plan.id_map, plan.in_user_namespace(), global.reporter.events.as_ref())?;
    Ok(plan)
}

/// The caller has written the bundle, or is gone.
fn wait_for_byte(parent: &OwnedFd) -> Step<()> {
    match rustix::io::retry_on_intr(|| rustix::io::read(parent, &mut [0])).during("args", "parent-fd")? {
        0 => Err(Failure::because("parent", "the caller is gone")),
        _ => Ok(()),
    }
}

fn live(
    global: &Global,
    plan: &Plan,
    options: LaunchOptions,
    signals: OwnedFd,
    parent: Option<OwnedFd>,
    partial: &mut Partial,
) -> Step<(Ended, bool)> {
    let streams = match plan.process.terminal {
        true => Streams::default(),
        false => streams::split()?,
    };
    let options = LaunchOptions { streams: streams.child, ..options };
    let mut created = |pid: i32| global.reporter.event(&json!({ "event": "created", "pid": pid }));
    let mut launched = launch::launch(plan, options, partial, &mut created)?;
    global.reporter.event(&json!({ "event": "running", "pid": launched.child.pid }));
    hooks::run(&plan.hooks.poststart, &state::standard(plan, "running", Some(launched.child.pid)), "poststart")?;
    let monitor =
        Monitor { container: &launched, signals, parent, is_pid_one: launch::is_pid_one(plan), flows: streams.flows };
    let ended = monitor.run();
    partial.userns = launched.userns.take();
    let oom = launched.cgroup.as_deref().is_some_and(cgroup::was_oom_killed);
    Ok((ended?, oom))
}

/// Leaves nothing: cgroup, state, what mapped ids own, the bundle. A failure here is reported, but never hides the exit code.
fn clean(global: &Global, plan: &Plan, remove: bool, partial: &Partial) -> Step<()> {
    if let Some(path) = &partial.cgroup {
        cgroup::remove(path);
    }
    hooks::run_poststop(plan, &global.reporter);
    state::forget(&global.root, &plan.id)?;
    if remove {
        if let Err(failure) = remove_bundle(plan, partial.userns.as_ref()) {
            global.reporter.failure(&failure);
        }
    }
    Ok(())
}

/// The bundle folder: what the container wrote as its own ids first, the rest as ourselves.
fn remove_bundle(plan: &Plan, userns: Option<&OwnedFd>) -> Step<()> {
    let bundle = &plan.bundle;
    if plan.new_user_namespace() {
        match userns {
            _ if userns::is_foreign(&plan.id_map) => userns::in_child(|| {
                userns::enter_with_caller(&plan.id_map, 0)?;
                remove_contents(bundle)
            })?,
            Some(namespace) => userns::run_inside(namespace, || remove_contents(bundle))?,
            // The launch failed before there was a namespace: nothing in it belongs to other ids.
            None => {}
        }
    }
    remove_tree(bundle)
}

/// In the mapping: the folders that hold the container's files.
fn remove_contents(bundle: &Path) -> Step<()> {
    let entries = std::fs::read_dir(bundle).during("remove", bundle.display())?;
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}
