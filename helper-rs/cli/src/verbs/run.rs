//! `run`: create, start, wait, delete; the helper stays beside the container: as long as its caller does, or as its monitor.

use super::flags::{self, Place};
use super::{create, delete, start, Rest};
use crate::ahead::{Ahead, Guess};
use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::foreground::Foreground;
use crate::keys::DetachKeys;
use crate::launch::{self, LaunchOptions, Partial};
use crate::layers::remove::remove_tree;
use crate::monitor::leave::{self, Line, Side};
use crate::monitor::{self, Finished, Monitor};
use crate::plan::Plan;
use crate::streams::{self, Streams};
use crate::sys::process::{self, Ended};
use crate::sys::signal;
use crate::timing::mark;
use crate::uplink::Uplink;
use crate::userns::{self, IdMap};
use crate::{cgroup, hooks, network, sealed, state, uplink};
use rootless_core::lower::networks::Networks;
use rustix::fd::OwnedFd;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Wish {
    place: Place,
    id: String,
    parent: Option<i32>,
    remove: bool,
    idmap: Option<IdMap>,
    wait: bool,
    /// Known before the bundle: the namespace is made below that of the networks.
    networks: Option<Networks>,
    /// There will be something that serves a network namespace: that is made with the user namespace.
    own_network: bool,
    monitor: Option<PathBuf>,
    detach: bool,
    /// Not deleted at its end.
    keep: bool,
    /// The caller is the command line's parent, and the parent descriptor the command line's.
    front: bool,
    keys: Option<DetachKeys>,
    no_sig_proxy: bool,
}

/// What both ways of staying begin with.
struct Begin {
    global: Global,
    wish: Wish,
    plan: Plan,
    launch: LaunchOptions,
    signals: OwnedFd,
    parent: Option<OwnedFd>,
}

pub fn run(mut global: Global) -> Step<Rest> {
    let mut launch = LaunchOptions { die_with_parent: true, ..LaunchOptions::default() };
    let mut wish = parse(&global, &mut launch)?;
    if wish.monitor.is_none() && wish.detach {
        return detached(&global, &wish, launch);
    }
    let read = match &wish.idmap {
        Some(map) => sealed::ensure(map, true, global.reporter.events.as_deref()).map(|()| None)?,
        None => Some(read(&wish, &global)?),
    };
    if let Some(file) = &mut wish.monitor {
        *file = std::path::absolute(&file).during("args", file.display())?;
        global.root = std::path::absolute(&global.root).during("args", global.root.display())?;
    }
    // Neither the monitor nor a hook has a use for what the caller did not mean.
    let last_kept = 2 + launch.preserve_fds as i32 + flags::listeners() as i32;
    process::close_inherited(|number| Some(number) == wish.parent || number <= last_kept);
    let parent: Option<OwnedFd> = wish.parent.map(args::fd).transpose()?;
    // Whoever is waited for has to end when the caller is left; who leads a process group cannot leave its session either.
    let leads = rustix::process::getpgrp() == rustix::process::getpid();
    let ahead = global.ahead.take();
    let (line, ahead) = match wish.monitor.is_some() && (wish.detach || wish.front || leads) {
        true => match leave::split(parent.as_ref(), wish.detach, !wish.no_sig_proxy, ahead)? {
            Side::Front(code) => return Ok(Rest::Done(code)),
            Side::Monitor(line, ahead) => (Some(line), ahead),
        },
        false => (None, ahead),
    };
    // From here on a signal waits for the monitor, and the end of the caller is noticed.
    let signals = signal::catch().during("init", "signalfd")?;
    launch.root = global.root.clone();
    let plan = match read {
        Some(plan) => {
            drop(ahead);
            plan
        }
        None => (read_late(&wish, parent.as_ref(), &mut launch, ahead)?, None),
    };
    let (mut plan, text) = plan;
    if wish.monitor.is_none() {
        flags::pass_listeners(&mut plan, &mut launch);
    }
    if global.no_cgroup {
        plan.linux.cgroups_path = None;
    }
    if plan.annotations.networks.is_some() && wish.monitor.is_none() {
        return Err(Failure::because("config", "networks need a monitor (--monitor)").on("$.annotations"));
    }
    mark("configuration checked");
    network::prepare(&mut plan, &mut launch)?;
    launch.manager = match (global.systemd, wish.monitor.is_some()) {
        (_, true) => cgroup::Manager::Together,
        (false, _) => cgroup::Manager::Folders,
        (true, false) => cgroup::Manager::Systemd,
    };
    state::claim(&global.root, &wish.id)?;
    if let Some(text) = text {
        state::keep_config(&global.root, &wish.id, &text)?;
    }
    let begin = Begin { global, wish, plan, launch, signals, parent };
    match begin.wish.monitor.is_some() {
        true => monitored(begin, line),
        false => watched(begin).map(Rest::Done),
    }
}

fn parse(global: &Global, launch: &mut LaunchOptions) -> Step<Wish> {
    let mut wish = Wish::default();
    let mut id = None;
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) if flags::take(&name, &mut given, &mut wish.place, launch)? => {}
            Argument::Option(name) => match name.as_str() {
                "rm" => wish.remove = true,
                "monitor" => wish.monitor = Some(given.value()?.into()),
                "front" => wish.front = true,
                "detach" | "d" => wish.detach = true,
                "detach-keys" => wish.keys = Some(DetachKeys::parse(&given.text()?)?),
                "no-sig-proxy" => wish.no_sig_proxy = true,
                "idmap" => wish.idmap = Some(IdMap::parse(&given.text()?)?),
                "wait" => wish.wait = true,
                "own-network" => wish.own_network = true,
                "networks" => wish.networks = Some(network::place(&given.text()?)?),
                "parent-fd" => wish.parent = Some(given.number()?),
                "keep" => wish.keep = true,
                other => return Err(args::unknown(other)),
            },
        }
    }
    wish.id = args::required(id, "container id")?;
    if wish.monitor.is_none() && wish.keys.is_some() {
        return Err(Failure::because("args", "--detach-keys needs --monitor"));
    }
    Ok(wish)
}

/// As runc has it: a container that is created and started, and left to its engine.
fn detached(global: &Global, wish: &Wish, launch: LaunchOptions) -> Step<Rest> {
    let launch = LaunchOptions { die_with_parent: false, ..launch };
    create::make(global, &wish.id, &wish.place, launch)?;
    if let Err(failure) = start::release(global, &wish.id) {
        let _ = delete::remove(global, &wish.id, true);
        return Err(failure);
    }
    Ok(Rest::Done(0))
}

/// The plan, and the text to be kept for other calls of the helper where no monitor answers them.
fn read(wish: &Wish, global: &Global) -> Step<(Plan, Option<String>)> {
    sealed::ensure_own(global.reporter.events.as_deref())?;
    let (plan, text) = Plan::read_file(&wish.id, wish.place.bundle(), &wish.place.config())?;
    plan.warnings.iter().for_each(|warning| global.reporter.warning(warning));
    sealed::ensure(&plan.id_map, plan.in_user_namespace(), global.reporter.events.as_deref())?;
    Ok((plan, wish.monitor.is_none().then_some(text)))
}

/// `--idmap`: the namespace is made while the bundle is still written.
fn read_late(wish: &Wish, parent: Option<&OwnedFd>, launch: &mut LaunchOptions, ahead: Option<Ahead>) -> Step<Plan> {
    let map = wish.idmap.clone().unwrap_or_default();
    // Maps take set-uid programs some milliseconds, in which what serves the network can begin.
    let (mut begun, guess) = match (&wish.networks, ahead.filter(|_| wish.own_network && wish.wait)) {
        (Some(networks), _) => (Err(network::early(networks, &map, launch)?), None),
        (None, None) => (Ok(userns::begin(&map, wish.own_network)?), None),
        (None, Some(ahead)) => {
            let (stand_in, guess) = ahead.split();
            (Ok(userns::resume(&map, stand_in)?), Some(guess))
        }
    };
    if wish.wait {
        await_bundle(args::required(parent, "--parent-fd")?, &mut begun, launch, guess)?;
    }
    launch.userns = Some(begun.map_or_else(Ok, userns::Begun::finish)?);
    let plan = Plan::read(&wish.id, wish.place.bundle())?;
    if !plan.new_user_namespace() || !plan.id_map.is_of(&map) {
        return Err(Failure::because("config", "--idmap is not the bundle's mapping").on("$.linux.uidMappings"));
    }
    // The image has owners for which the same ids of the host had to be arranged in another way.
    if plan.id_map != map {
        (launch.uplink, launch.netns) = (None, None);
        launch.userns = Some(namespace_for(wish, &plan.id_map, launch)?);
    }
    Ok(plan)
}

fn namespace_for(wish: &Wish, map: &IdMap, launch: &mut LaunchOptions) -> Step<OwnedFd> {
    match &wish.networks {
        Some(networks) => network::early(networks, map, launch),
        None => userns::prepare(map),
    }
}

/// The caller has written the bundle, or is gone. Before that it may say in a line what serves the network.
fn await_bundle(
    parent: &OwnedFd,
    begun: &mut Result<userns::Begun, OwnedFd>,
    launch: &mut LaunchOptions,
    mut guess: Option<Guess>,
) -> Step<()> {
    let mut line = Vec::new();
    loop {
        match next_byte(parent)? {
            b'\n' => {
                let early: Early = serde_json::from_slice(&line)
                    .map_err(|error| Failure::because("args", error.to_string()).on("parent-fd"))?;
                let (uplink, netns) = serve_early(&early.companion, begun, launch, guess.take())?;
                (launch.uplink, launch.netns) = (Some(uplink), Some(netns));
                line.clear();
            }
            b'g' if line.is_empty() => return Ok(()),
            byte => line.push(byte),
        }
    }
}

/// A namespace that something else has served is of no use any more: then there is another one.
fn serve_early(
    argv: &[String],
    begun: &mut Result<userns::Begun, OwnedFd>,
    launch: &LaunchOptions,
    guess: Option<Guess>,
) -> Step<(Uplink, OwnedFd)> {
    let guessed = guess.is_some();
    let companion = guess.and_then(|guess| guess.fits(argv));
    let stands = match begun {
        Ok(begun) if !guessed || companion.is_some() => begun.take_network()?,
        _ => None,
    };
    match (stands, companion) {
        (Some((netns, stand_in)), Some(companion)) => Ok((Uplink { companion, stand_in }, netns)),
        (Some((netns, stand_in)), None) => Ok((uplink::serve(argv, stand_in, &launch.root)?, netns)),
        (None, _) => {
            let namespace = begun.as_ref().map_or_else(|made| made, userns::Begun::namespace);
            uplink::start(argv, namespace, &launch.root)
        }
    }
}

/// What is known before the bundle stands.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Early {
    companion: Vec<String>,
}

/// One at a time: what follows is not ours.
fn next_byte(parent: &OwnedFd) -> Step<u8> {
    let mut byte = [0];
    match rustix::io::retry_on_intr(|| rustix::io::read(parent, &mut byte)).during("args", "parent-fd")? {
        0 => Err(Failure::because("parent", "the caller is gone")),
        _ => Ok(byte[0]),
    }
}

/// Without `--monitor`: to the end of the container or of the caller.
fn watched(mut begin: Begin) -> Step<u8> {
    let mut partial = Partial::default();
    let result = begin.plan.stand_nearby().and_then(|()| live(&mut begin, &mut partial));
    let Begin { global, plan, wish, .. } = &begin;
    if !(wish.keep && result.is_ok()) {
        partial.remove_cgroup();
        hooks::run_poststop(plan, &global.reporter);
        state::forget(&global.root, &plan.id)?;
    }
    if wish.remove {
        let removed = remove_bundle(&plan.bundle, plan.new_user_namespace(), &plan.id_map, partial.userns.as_ref());
        removed.unwrap_or_else(|failure| global.reporter.failure(&failure));
    }
    mark("removed");
    let (ended, oom) = result?;
    let signal = match ended {
        Ended::Signal(number) => Some(number),
        Ended::Code(_) => None,
    };
    report_exit(&global.reporter, ended.status(), signal, oom);
    Ok(ended.status())
}

fn report_exit(reporter: &crate::report::Reporter, code: u8, signal: Option<i32>, oom: bool) {
    let mut event = json!({ "event": "exit", "code": code });
    if let Some(number) = signal {
        event["signal"] = json!(number);
    }
    if oom {
        event["oom"] = json!(true);
    }
    reporter.event(&event);
}

fn live(begin: &mut Begin, partial: &mut Partial) -> Step<(Ended, bool)> {
    let Begin { global, plan, .. } = begin;
    let streams = match plan.process.terminal {
        true => Streams::default(),
        false => streams::split()?,
    };
    let mut options = std::mem::take(&mut begin.launch);
    options.streams = streams.child;
    options.plain_lines = options.console_socket.is_none();
    options.parent = copy_of(begin.parent.as_ref())?;
    create::announce(&global.reporter, plan);
    let mut created = |pid: i32| {
        create::report_made(&global.reporter, plan, pid);
        global.reporter.event(&json!({ "event": "created", "pid": pid }));
    };
    let mut launched = launch::launch(plan, options, partial, &mut created)?;
    global.reporter.debug(&format!("{}: init: closing the pipe to signal completion: the program runs", plan.id));
    global.reporter.event(&json!({ "event": "running", "pid": launched.child.pid }));
    hooks::run(&plan.hooks.poststart, &state::standard(plan, "running", Some(launched.child.pid)), "poststart")?;
    let watcher = Foreground {
        container: &launched,
        signals: copy_of(Some(&begin.signals))?.ok_or_else(|| Failure::new("init"))?,
        parent: begin.parent.take().filter(|_| !begin.wish.front),
        is_pid_one: launch::is_pid_one(plan),
        flows: streams.flows,
    };
    let ended = watcher.run();
    mark("program ended");
    partial.userns = launched.userns.take();
    let oom = launched.cgroup.as_deref().is_some_and(cgroup::was_oom_killed);
    Ok((ended?, oom))
}

fn copy_of(fd: Option<&OwnedFd>) -> Step<Option<OwnedFd>> {
    fd.map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3)).transpose().during("args", "parent-fd")
}

/// With `--monitor`: to the container's last end, whatever becomes of the caller.
fn monitored(begin: Begin, line: Option<Line>) -> Step<Rest> {
    let Begin { global, wish, mut plan, launch, signals, parent } = begin;
    let file = wish.monitor.unwrap_or_default();
    let reporter = global.reporter.share();
    let started = monitor::Options::read(&file).map_err(|failure| (failure, None)).and_then(|options| {
        let keys = wish.keys.unwrap_or_default();
        let root = global.root.clone();
        let (detach, front, sig_proxy) = (wish.detach, wish.front, !wish.no_sig_proxy);
        let start = monitor::Start {
            root,
            file,
            options,
            reporter,
            signals,
            parent,
            keys,
            sig_proxy,
            line,
            detach,
            front,
            launch,
        };
        Monitor::start(&mut plan, start)
    });
    let monitor = match started {
        Ok(monitor) => monitor,
        Err((failure, userns)) => {
            state::forget(&global.root, &plan.id)?;
            if wish.remove {
                let removed = remove_bundle(&plan.bundle, plan.new_user_namespace(), &plan.id_map, userns.as_ref());
                removed.unwrap_or_else(|failure| global.reporter.failure(&failure));
            }
            return Err(failure);
        }
    };
    Ok(Rest::Stay(Box::new(Stay { monitor, global, remove: wish.remove })))
}

/// A container that runs, and what its monitor has to do until it does not, and then.
pub struct Stay {
    monitor: Box<Monitor>,
    global: Global,
    remove: bool,
}

impl Stay {
    pub fn finish(self) -> Step<u8> {
        let Stay { monitor, global, remove } = self;
        let Finished { end, place, userns, traces, keep, journal, leaving } = monitor.run();
        if place.has_poststop {
            if let Ok(plan) = Plan::read(&place.id, &place.bundle) {
                hooks::run_poststop(&plan, &global.reporter);
            }
        }
        state::forget(&global.root, &place.id)?;
        if remove && !keep {
            let removed = remove_bundle(&place.bundle, place.new_user_namespace, &place.id_map, userns.as_ref());
            match removed {
                Ok(()) => journal.say("destroy", &[]),
                Err(failure) => global.reporter.failure(&failure),
            }
            for trace in traces {
                let _ = std::fs::remove_file(trace);
            }
        }
        // What served its network, and holds nothing that anybody waits for, is ended by its guardian.
        leaving.into_iter().for_each(std::mem::forget);
        report_exit(&global.reporter, end.code, end.signal, end.oom);
        Ok(end.code)
    }
}

/// The bundle folder: what the container wrote as its own ids first, the rest as ourselves.
fn remove_bundle(bundle: &Path, own_namespace: bool, map: &IdMap, userns: Option<&OwnedFd>) -> Step<()> {
    if own_namespace {
        match userns {
            _ if userns::is_foreign(map) => userns::in_child(|| {
                userns::enter_with_caller(map, 0)?;
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
