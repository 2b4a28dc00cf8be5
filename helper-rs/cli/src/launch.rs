//! The parent's side of a launch: clone, map ids, start what serves the container, let it go.

use crate::cgroup::{self, Manager, Place};
use crate::channel::{self, Channel, Message};
use crate::companion::Companion;
use crate::failure::{During, Failure, Step};
use crate::init::{self, InitOptions};
use crate::middle::clone_through;
use crate::network::{self, Member};
use crate::notify::Notifier;
use crate::plan::Plan;
use crate::state::{self, Saved};
use crate::sys::process::{self, Child, Forked};
use crate::timing::mark;
use crate::uplink::Uplink;
use crate::{atomic, hooks, idmap, resctrl, terminal, userns};
use rootless_core::lower::annotations::Rootfs;
use rootless_core::lower::namespaces::{CLONE_NEWCGROUP, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

/// How the verbs launch.
#[derive(Default)]
pub struct LaunchOptions {
    /// `create`: the socket on which the child waits for `start`.
    pub gate: Option<OwnedFd>,
    pub die_with_parent: bool,
    pub preserve_fds: u32,
    /// For the container's 0, 1 and 2; `None` leaves the caller's.
    pub streams: [Option<OwnedFd>; 3],
    pub console_socket: Option<PathBuf>,
    /// Its end of file ends the launch.
    pub parent: Option<OwnedFd>,
    pub root: PathBuf,
    pub pid_file: Option<PathBuf>,
    /// Gets a pidfd of the container's process.
    pub pidfd_socket: Option<PathBuf>,
    /// chroot(2) in place of pivot_root(2), which a root filesystem in the kernel's own memory does not allow.
    pub no_pivot: bool,
    /// See `InitOptions`.
    pub plain_lines: bool,
    /// The caller's session keyring is kept.
    pub keep_keyring: bool,
    /// The container's user namespace, where it was made beforehand.
    pub userns: Option<OwnedFd>,
    /// A network namespace that is there.
    pub netns: Option<OwnedFd>,
    /// The user namespace that it belongs to, where that is not the container's.
    pub above: Option<OwnedFd>,
    /// Serves that namespace already.
    pub uplink: Option<Uplink>,
    /// Who connects it with its bridges.
    pub network: Option<Rc<Member>>,
    pub manager: Manager,
}

/// A container whose program was executed (or, with a gate, will be).
pub struct Launched {
    pub child: Child,
    /// Kept so that what mapped ids own can still be removed when the container is gone.
    pub userns: Option<OwnedFd>,
    pub terminal: Option<OwnedFd>,
    /// Answers chown-like calls of a container with one id.
    pub notifier: Option<Notifier>,
    pub cgroup: Option<PathBuf>,
    pub scope: Option<String>,
    pub resctrl: Vec<PathBuf>,
    pub companions: Vec<Companion>,
}

/// What exists already when a launch fails, so that the caller can undo it.
#[derive(Default)]
pub struct Partial {
    pub userns: Option<OwnedFd>,
    pub cgroup: Option<PathBuf>,
    /// The unit of systemd, where the container has one for itself.
    pub scope: Option<String>,
    /// Folders of resctrl that were made for it.
    pub resctrl: Vec<PathBuf>,
}

impl Partial {
    /// What the container's processes were in.
    pub fn remove_cgroup(&self) {
        if let Some(path) = &self.cgroup {
            cgroup::remove(path);
        }
        if let Some(unit) = &self.scope {
            cgroup::scope::stop(unit);
        }
        resctrl::leave(&self.resctrl);
    }
}

/// Launches; on failure the child is dead and reaped, and `partial` names what is left.
pub fn launch(
    plan: &Plan,
    mut options: LaunchOptions,
    partial: &mut Partial,
    report: &mut dyn FnMut(i32),
) -> Step<Launched> {
    let uplink = options.uplink.take();
    let rdt = plan.linux.intel_rdt.as_ref();
    resctrl::check(rdt)?;
    let place = cgroup::make(plan, options.manager, |folder| match options.manager {
        // Its monitor ends with the scope, or knows it by its name.
        Manager::Together => Ok(()),
        _ => Saved::planned(plan, Some(folder.to_path_buf())).write(&options.root),
    })?;
    partial.cgroup = match &place {
        Place::Folder(group) => Some(group.path.clone()),
        _ => None,
    };
    mark("cgroup");
    let watch = options.parent.as_ref().map(AsFd::as_fd);
    let is_scope = matches!(place, Place::Scope);
    let (child, channel) = start_child(plan, &options, place)?;
    mark("clone");
    if is_scope {
        (partial.scope, partial.cgroup) = cgroup::scope::of(child.pid).unzip();
    }
    if plan.new_user_namespace() {
        partial.userns = match &options.userns {
            Some(prepared) => rustix::io::fcntl_dupfd_cloexec(prepared, 3).ok(),
            None => userns::open_namespace(child.pid, "user").ok(),
        };
    }
    let entered = resctrl::enter(rdt, &plan.id, child.pid, &mut partial.resctrl);
    match entered.and_then(|()| escort(plan, &options, partial, uplink, (&child, &channel), watch, report)) {
        Ok(escorted) => Ok(Launched {
            child,
            userns: partial.userns.take(),
            terminal: escorted.terminal,
            notifier: escorted.notifier,
            cgroup: partial.cgroup.clone(),
            scope: partial.scope.clone(),
            resctrl: partial.resctrl.clone(),
            companions: escorted.companions,
        }),
        Err(failure) => {
            let _ = process::send_signal(&child.pidfd, libc::SIGKILL);
            let _ = process::wait_for(child.pid);
            Err(failure)
        }
    }
}

/// Clones the child, directly or, if namespaces or a scope are to be joined, through a process that joins them first.
fn start_child(plan: &Plan, options: &LaunchOptions, place: Place) -> Step<(Child, Channel)> {
    let copy = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 3).during("clone", "streams");
    let copy_of = |fd: &Option<OwnedFd>| fd.as_ref().map(copy).transpose();
    let mut init_options = InitOptions {
        die_with_parent: options.die_with_parent,
        gate: options.gate.as_ref().map(copy).transpose()?,
        streams: [copy_of(&options.streams[0])?, copy_of(&options.streams[1])?, copy_of(&options.streams[2])?],
        preserve_fds: options.preserve_fds,
        own_cgroup: matches!(place, Place::Folder(_) | Place::Scope),
        no_pivot: options.no_pivot,
        plain_lines: options.plain_lines,
        keep_keyring: options.keep_keyring,
        mapped: idmap::prepare(plan)?,
        output: match plan.hooks.create_container.is_empty() && plan.hooks.start_container.is_empty() {
            true => hooks::Output::default(),
            false => hooks::Output::of(&plan.spec.annotations)?,
        },
        bundle_state: state::standard(plan, "creating", None),
    };
    // The new process is born there, and keeps nothing open of it: a descriptor of the host's tree leads out (CVE-2024-21626).
    let into = |place: &Place, flags| {
        let group = match place {
            Place::Folder(group) => Some(group.fd.as_fd()),
            _ => None,
        };
        process::clone(flags, group).during("clone", names(flags & !libc::CLONE_PARENT))
    };
    let is_scope = matches!(place, Place::Scope);
    let (ours, theirs) = channel::pair()?;
    let all_new = plan.namespaces.new & !CLONE_NEWTIME & !CLONE_NEWCGROUP;
    if !plan.namespaces.join.is_empty() || options.userns.is_some() || options.netns.is_some() || is_scope {
        let prepared = options.userns.as_ref();
        let join_and_clone = || {
            if is_scope {
                cgroup::scope::enter(plan)?;
            }
            join_all(plan, prepared, options)?;
            let new = all_new & if prepared.is_some() { !CLONE_NEWUSER } else { -1 };
            let forked = into(&place, new | libc::CLONE_PARENT)?;
            drop(place);
            Ok((forked, ()))
        };
        return clone_through((ours, theirs), join_and_clone, |(), theirs| init::run(plan, theirs, &mut init_options));
    }
    match into(&place, all_new)? {
        Forked::Child => {
            drop((ours, place));
            let failure = init::run(plan, theirs, &mut init_options);
            process::exit_now(i32::from(failure.exit))
        }
        Forked::Parent(child) => Ok((child, ours)),
    }
}

fn join_all(plan: &Plan, prepared: Option<&OwnedFd>, options: &LaunchOptions) -> Step<()> {
    let join_user = |namespace: &OwnedFd| process::join(namespace.as_fd(), CLONE_NEWUSER).during("clone", "user");
    let join_network =
        |namespace: &OwnedFd| process::join(namespace.as_fd(), CLONE_NEWNET).during("network", "namespace");
    if let (Some(above), Some(netns)) = (&options.above, &options.netns) {
        // Below, the rights over the network are gone.
        join_user(above)?;
        join_network(netns)?;
    }
    if let Some(userns) =
        prepared.filter(|userns| !options.above.as_ref().is_some_and(|above| userns::is_same(userns, above)))
    {
        join_user(userns)?;
    }
    if let (None, Some(netns)) = (&options.above, &options.netns) {
        join_network(netns)?;
    }
    for (flag, path) in &plan.namespaces.join {
        // A network that may not be entered is the caller's choice, not the machine's fault.
        let step = if *flag == CLONE_NEWNET { "network" } else { "clone" };
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
        let file = rustix::fs::open(path.as_str(), flags, rustix::fs::Mode::empty()).during(step, path)?;
        process::join(file.as_fd(), *flag).during(step, path)?;
    }
    Ok(())
}

struct Escorted {
    terminal: Option<OwnedFd>,
    notifier: Option<Notifier>,
    companions: Vec<Companion>,
}

/// Accompanies the child from its first step to exec, or to its gate.
fn escort(
    plan: &Plan,
    options: &LaunchOptions,
    partial: &Partial,
    uplink: Option<Uplink>,
    (child, channel): (&Child, &Channel),
    watch: Option<BorrowedFd<'_>>,
    report: &mut dyn FnMut(i32),
) -> Step<Escorted> {
    let mut companions = Vec::new();
    // Whoever finds this container half made knows what there is of it: a cgroup was named before, and it is in there.
    if options.gate.is_some() && (partial.cgroup.is_none() || partial.scope.is_some()) {
        Saved { creating: true, ..Saved::new(plan, child.pid)? }.write(&options.root)?;
    }
    if plan.new_user_namespace() && options.userns.is_none() {
        userns::write_maps(child.pid, &plan.id_map)?;
        mark("ids mapped");
    }
    if let Rootfs::Overlay(overlay) = &plan.annotations.rootfs {
        if overlay.program.is_some() {
            companions.push(Companion::start_fuse(overlay, &plan.rootfs, child)?);
        }
    }
    channel.send(Message::Mapped, None)?;
    network::hand_over(plan, || userns::open_namespace(child.pid, "net"))?;
    // Bridges first: eth0 is theirs, and the way out has another name beside them.
    let bridges = options.network.as_deref().zip(plan.annotations.networks.as_ref());
    if let Some((member, networks)) = bridges {
        let container = userns::open_namespace(child.pid, "net")?;
        member.request(&plan.id, networks, container.as_fd())?;
    }
    // The network is set up while the child mounts: neither needs the other.
    let (network, stand_in) = match (uplink, plan.annotations.companion.as_slice()) {
        (Some(uplink), _) => (Some(uplink.companion), Some(uplink.stand_in)),
        (None, []) => (None, None),
        (None, argv) => (Some(Companion::start(argv, child.pid, &options.root)?), None),
    };
    if options.die_with_parent {
        companions.iter().chain(&network).for_each(|companion| companion.keep(child));
    }
    let mut terminal = None;
    loop {
        match channel.receive(watch)? {
            (Message::Mounted, _) => {
                let state = state::standard(plan, "creating", Some(child.pid));
                hooks::run(&plan.hooks.prestart, &state, "prestart")?;
                hooks::run(&plan.hooks.create_runtime, &state, "createRuntime")?;
                channel.send(Message::HooksDone, None)?;
            }
            (Message::Terminal, Some(master)) => match &options.console_socket {
                Some(path) => terminal::hand_over(&master, path)?,
                None => terminal = Some(master),
            },
            // With a gate; otherwise the filter is the last thing before the program.
            (Message::Listener, Some(listener)) => crate::agent::send(plan, child.pid, &listener)?,
            (Message::Ready, _) => break,
            (Message::End, _) => return Err(Failure::because("init", "the container's first process ended early")),
            (message, _) => return Err(Failure::because("init", format!("{message:?} where Ready was due"))),
        }
    }
    mark("everything is made in the container");
    if let Some((member, _)) = bridges {
        member.settle()?;
    }
    if let Some(network) = network {
        network.wait_ready(watch)?;
        drop(stand_in);
        companions.push(network);
        mark("network");
    }
    record(plan, options, partial, child)?;
    mark("state recorded");
    report(child.pid);
    channel.send(Message::Go, None)?;
    if options.gate.is_some() {
        return Ok(Escorted { terminal, notifier: None, companions });
    }
    let mut notifier = None;
    loop {
        match channel.receive(watch)? {
            (Message::Listener, Some(fd)) if plan.annotations.single_id => {
                notifier = Some(Notifier::start(&fd, partial.userns.as_ref().unwrap_or(&child.pidfd))?);
            }
            (Message::Listener, Some(fd)) => crate::agent::send(plan, child.pid, &fd)?,
            (Message::End, _) => {
                mark("program executed");
                return Ok(Escorted { terminal, notifier, companions });
            }
            (message, _) => return Err(Failure::because("init", format!("{message:?} before exec"))),
        }
    }
}

fn record(plan: &Plan, options: &LaunchOptions, partial: &Partial, child: &Child) -> Step<()> {
    let saved = Saved::new(plan, child.pid)?;
    let Partial { cgroup, scope, resctrl, .. } = partial;
    Saved { cgroup: cgroup.clone(), scope: scope.clone(), resctrl: resctrl.clone(), ..saved }.write(&options.root)?;
    let receiver = plan.annotations.crun.pidfd_receiver.as_ref().map(PathBuf::from);
    for path in options.pidfd_socket.iter().chain(&receiver) {
        terminal::send_to(path, b"pidfd", &child.pidfd)?;
    }
    if let Some(path) = &options.pid_file {
        atomic::write_unnamed(path, child.pid.to_string().as_bytes()).during("state", path.display())?;
    }
    Ok(())
}

fn names(flags: i32) -> String {
    let kinds = rootless_core::lower::namespaces::KINDS.iter();
    let names: Vec<&str> = kinds.filter(|(_, flag, _)| flags & flag != 0).map(|(name, _, _)| *name).collect();
    names.join(",")
}

/// True if the container's first process is pid 1, for which the kernel drops signals without a handler.
pub fn is_pid_one(plan: &Plan) -> bool {
    plan.namespaces.new & CLONE_NEWPID != 0
}
