//! The child's side of a launch: from a fresh set of namespaces to the container's program, one step a line.

use crate::channel::{Channel, Message};
use crate::failure::{During, Failure, Step};
use crate::hooks::Output;
use crate::inside::{self, Missing};
use crate::labels::Label;
use crate::plan::{Plan, SeccompFilter};
use crate::process::{self, Program};
use crate::sys::{self, process as sys_process, seccomp, signal};
use crate::timing::mark;
use crate::user::{self, Identity};
use crate::{
    devices, hooks, idmap, keyring, labels, landlock, memory_policy, mounts, owners, pid1, procfs, rootfs, terminal,
    userns,
};
use rootless_core::lower::mounts::propagation;
use rootless_core::lower::namespaces::{CLONE_NEWCGROUP, CLONE_NEWNET, CLONE_NEWTIME};
use rootless_core::oci::runtime::Hook;
use rootless_core::oci::state::State;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};

/// What the child needs beside the plan.
pub struct InitOptions {
    /// Killed with the launching process (`run`); not for `create`, which ends at once.
    pub die_with_parent: bool,
    /// A listening socket on which `start` arrives (`create`).
    pub gate: Option<OwnedFd>,
    /// Descriptors from 3 on that the program keeps.
    pub preserve_fds: u32,
    /// Where the caller's output is no terminal, the container's is not made to look like one.
    pub plain_lines: bool,
    /// It has a cgroup of its own, which says where it runs. In its caller's it runs where that does.
    pub own_cgroup: bool,
    pub no_pivot: bool,
    pub keep_keyring: bool,
    /// In place of the caller's 0, 1 and 2.
    pub streams: [Option<OwnedFd>; 3],
    /// Of those hooks.
    pub output: Output,
    /// Sources of id-mapped binds.
    pub mapped: idmap::Mapped,
    /// For the hooks that run in the container.
    pub bundle_state: State,
}

/// Runs the story; returns only a failure.
pub fn run(plan: &Plan, channel: Channel, options: &mut InitOptions) -> Failure {
    let mapped = std::mem::take(&mut options.mapped);
    match story(plan, &channel, options, mapped) {
        Ok((program, channel)) => {
            let failure = program.exec();
            channel.send_failure(&failure);
            failure
        }
        Err(failure) => {
            channel.send_failure(&failure);
            failure
        }
    }
}

fn story(plan: &Plan, channel: &Channel, options: &InitOptions, mut mapped: idmap::Mapped) -> Step<(Program, Channel)> {
    channel.expect(Message::Mapped, None)?;
    mark("told that ids are mapped");
    rustix::process::setsid().during("init", "setsid")?;
    // The caller's would close what is made for users of the container; without one of its own the program has this, as in crun.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let mut caller = None;
    if plan.in_user_namespace() {
        caller = mounts::Caller::current();
        become_root(plan)?;
    }
    // Not with the clone: the namespace would begin where the one who clones is, not where this process was put.
    if plan.namespaces.new & CLONE_NEWCGROUP != 0 {
        sys_process::unshare(CLONE_NEWCGROUP).during("clone", "cgroup")?;
    }
    // Among the processes of a container that runs already, nobody may look into this one. In a namespace of its own there
    // is nobody yet, and the network companion needs its /proc entry, which the change of ids has closed.
    sys_process::set_dumpable(is_alone(plan)).during("init", "dumpable")?;
    if options.die_with_parent {
        sys_process::die_with_parent().during("init", "pdeathsig")?;
    }
    if !options.keep_keyring {
        keyring::renew(plan)?;
    }
    mark("its root, its keyring");

    let wish = plan.linux.rootfs_propagation.as_deref().and_then(propagation);
    rootfs::isolate(wish)?;
    let root = rootfs::prepare(&plan.annotations.rootfs, &plan.rootfs, wish)?;
    mark("root filesystem");
    let host_proc = procfs::take()?;
    let mut to_give = Vec::new();
    for op in &plan.mounts {
        to_give.extend(mounts::execute(&root, op, (plan, caller), &mut mapped)?.map(|tree| (op, tree)));
        mark(&op.target);
    }
    if !binds_dev(plan) {
        devices::make(&root, &plan.linux.devices, plan.in_user_namespace() || !userns::is_initial())?;
    }
    if !plan.hooks.create_runtime.is_empty() || !plan.hooks.prestart.is_empty() {
        channel.send(Message::Mounted, None)?;
        channel.expect(Message::HooksDone, None)?;
    }
    hooks::run_into(&plan.hooks.create_container, &state(options, "creating"), "createContainer", &options.output)?;
    mark("devices, hooks");

    match options.no_pivot {
        true => rootfs::chroot(&root)?,
        false => rootfs::pivot(&root)?,
    }
    drop(root);
    rootfs::propagate(wish)?;
    mark("pivot_root");
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).during("pivot", "/")?;
    // As runc and docker do; where that is not possible, entering it will say so.
    let _ = inside::open(&root, &plan.process.cwd, Missing::MakeFolder, false);
    configure_namespaces(plan, &host_proc)?;
    mark("names, sysctls");
    restrict_paths(plan, &root)?;
    mark("masked and read-only paths");
    if let Some(score) = plan.process.oom_score_adj {
        procfs::write(&host_proc, "self/oom_score_adj", &score.to_string()).during("rlimit", "oom_score_adj")?;
    }
    if options.own_cgroup {
        process::spread();
    }
    process::limit(&plan.process)?;
    let identity = identity(plan, &root, &host_proc)?;
    for (op, tree) in to_give {
        owners::give(&tree, identity.uid, identity.gid).map_err(|failure| failure.at(op.index))?;
    }
    let own_program = match plan.annotations.init {
        true => Some(procfs::open_own(&host_proc, "self/exe", OFlags::PATH).during("init", "/proc/self/exe")?),
        false => None,
    };
    let labels = labels::prepare(&plan.process, &host_proc)?;
    // Nothing of the host's stays open while this process waits for `start`.
    drop(host_proc);
    if plan.process.terminal {
        let master = terminal::take(identity.uid, plan.process.console_size, binds_dev(plan), options.plain_lines)?;
        channel.send(Message::Terminal, Some(master.as_fd()))?;
    }
    for op in &plan.mounts {
        mounts::finish_dev(&root, op).during("mount", &op.target).map_err(|failure| failure.at(op.index))?;
    }
    drop(root);
    for (number, stream) in (0..).zip(&options.streams) {
        if let Some(stream) = stream {
            sys_process::dup_to(stream.as_fd(), number).during("console", "streams")?;
        }
    }
    let program = Program::new(&plan.process, identity.home.as_deref())?;

    if options.gate.is_some() {
        program.look_for()?;
    }
    mark("limits, user, streams");
    let change = |channel: &Channel, filter: Option<&SeccompFilter>| {
        let kept = (options.preserve_fds, options.die_with_parent);
        become_program(plan, &identity, channel, kept, &labels, filter)
    };
    let (early, late_filter) = before_gate(plan, options);
    if early {
        change(channel, plan.filter.as_ref().filter(|_| late_filter.is_none()))?;
        // Engines look for its namespaces, to connect its network for example.
        sys_process::set_dumpable(is_alone(plan)).during("init", "dumpable")?;
    }
    channel.send(Message::Ready, None)?;
    channel.expect(Message::Go, None)?;
    let channel = pass_gate(channel, options)?;
    let last_steps = || -> Step<()> {
        match early {
            true => {
                sys_process::set_dumpable(false).during("init", "dumpable")?;
                load_filter(late_filter, &channel)?;
            }
            false => change(&channel, plan.filter.as_ref())?,
        }
        // With the rights of the program and under its filter, as in runc.
        let hooks = start_hooks(plan, identity.home.as_deref());
        hooks::run_into(&hooks, &state(options, "created"), "startContainer", &options.output)?;
        if let Some(own_program) = own_program {
            split_off_init(&own_program)?;
        }
        Ok(())
    };
    // Who released it hears of it, and not who made it.
    let tell = |failure: &Failure| {
        if options.gate.is_some() {
            channel.send_failure(failure);
        }
    };
    mark("released");
    last_steps().inspect_err(tell)?;
    mark("capabilities, filter");
    Ok((program, channel))
}

/// No other process is in its namespaces.
fn is_alone(plan: &Plan) -> bool {
    plan.namespaces.join.is_empty() && plan.annotations.join.is_none()
}

/// `create`: whether the process takes the program's rights before it waits for `start`, so that it is `create` that fails, as with
/// runc and crun; and the filter that it takes after the wait. One that asks an agent is announced by `create`. Without
/// no_new_privs a filter has to come before the rights go, and waiting may be what it forbids: then all of that comes after.
fn before_gate<'a>(plan: &'a Plan, options: &InitOptions) -> (bool, Option<&'a SeccompFilter>) {
    let filter = plan.filter.as_ref();
    let notifies = filter.is_some_and(|filter| filter.notifies);
    let early = options.gate.is_some() && (filter.is_none() || notifies || plan.process.no_new_privileges);
    (early, filter.filter(|_| early && !notifies))
}

/// Those that name no environment have that of the program, as in runc.
fn start_hooks(plan: &Plan, home: Option<&str>) -> Vec<Hook> {
    let mut hooks = plan.hooks.start_container.clone();
    for hook in &mut hooks {
        hook.env.get_or_insert_with(|| process::environment(&plan.process.env, home));
    }
    hooks
}

/// Everything from the last privileged step to exec.
pub fn become_program(
    plan: &Plan,
    identity: &Identity,
    channel: &Channel,
    (preserve_fds, die_with_parent): (u32, bool),
    labels: &[Label],
    filter: Option<&SeccompFilter>,
) -> Step<()> {
    sys_process::cloexec_from(3 + preserve_fds).during("init", "close_range")?;
    signal::reset();
    if let Some(personality) = &plan.linux.personality {
        let persona = if personality.domain == "LINUX32" { 8 } else { 0 };
        sys_process::set_personality(persona).during("init", &personality.domain)?;
    }
    if let Some(policy) = &plan.linux.memory_policy {
        memory_policy::set(policy)?;
    }
    labels::set(labels)?;
    let late = plan.process.no_new_privileges;
    // Without no_new_privs only CAP_SYS_ADMIN may load a filter, so then it has to be before the capabilities go.
    if !late {
        plan.annotations.landlock.as_ref().map_or(Ok(()), landlock::enforce)?;
        load_filter(filter, channel)?;
    }
    process::become_user(identity, &plan.caps, plan.process.user.umask)?;
    // With the program's ids: others in the container that have them may not look into what is not the program yet (CVE-2016-9962).
    sys_process::set_dumpable(false).during("init", "dumpable")?;
    if die_with_parent {
        // The change of ids has cleared it; a parent that ended in between would not be noticed any more.
        sys_process::die_with_parent().during("init", "pdeathsig")?;
        channel.check_peer()?;
    }
    enter_folder(&plan.process.cwd)?;
    if late {
        sys_process::no_new_privileges().during("capabilities", "no_new_privs")?;
        plan.annotations.landlock.as_ref().map_or(Ok(()), landlock::enforce)?;
        load_filter(filter, channel)?;
    }
    Ok(())
}

/// As the container's user: a folder that it may not enter is an error, as in runc.
fn enter_folder(cwd: &str) -> Step<()> {
    let cwd = if cwd.is_empty() { "/" } else { cwd };
    rustix::process::chdir(cwd).during("cwd", cwd)?;
    // A working directory outside the root (an inherited descriptor, CVE-2024-21626) has no path in here.
    let here = rustix::process::getcwd(Vec::new()).during("cwd", cwd)?;
    if here.as_bytes().first() == Some(&b'/') {
        Ok(())
    } else {
        Err(Failure::because("cwd", "it is outside the container").on(cwd))
    }
}

fn load_filter(filter: Option<&SeccompFilter>, channel: &Channel) -> Step<()> {
    let Some(filter) = filter else { return Ok(()) };
    let flags = filter.flags | if filter.notifies { seccomp::NEW_LISTENER } else { 0 };
    if let Some(listener) = seccomp::load(&filter.program, flags).during("seccomp", "filter")? {
        channel.send(Message::Listener, Some(listener.as_fd()))?;
    }
    Ok(())
}

/// As the container's root, and out of the caller's groups unless those are to stay.
pub fn become_root(plan: &Plan) -> Step<()> {
    match plan.annotations.keep_groups {
        true => userns::become_root_in_groups(),
        false => userns::become_root(),
    }
}

/// A /dev that is the host's own is left as it is.
fn binds_dev(plan: &Plan) -> bool {
    plan.mounts.iter().any(|op| {
        op.target.trim_end_matches('/') == "/dev"
            && matches!(op.source, rootless_core::lower::mounts::Source::Bind { .. })
    })
}

fn configure_namespaces(plan: &Plan, proc: &OwnedFd) -> Step<()> {
    let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    if let Some(name) = &given(&plan.spec.hostname) {
        match rustix::system::sethostname(name.as_bytes()) {
            // Under a filter of a container around us; nobody has asked for this name.
            Err(rustix::io::Errno::PERM)
                if plan.annotations.optional_sysctls.iter().any(|key| key == "kernel.hostname") => {}
            done => done.during("hostname", name)?,
        }
    }
    if let Some(name) = &given(&plan.spec.domainname) {
        rustix::system::setdomainname(name.as_bytes()).during("hostname", name)?;
    }
    if plan.namespaces.new & CLONE_NEWNET != 0 {
        sys::net::loopback_up().during("network", "lo")?;
    }
    if plan.namespaces.new & CLONE_NEWTIME != 0 {
        enter_time(plan, proc)?;
    }
    for (key, value) in &plan.linux.sysctl {
        // The files of these belong to the host's root, the names to whoever has the namespace.
        let done = match key.as_str() {
            "kernel.hostname" => rustix::system::sethostname(value.as_bytes()),
            "kernel.domainname" => rustix::system::setdomainname(value.as_bytes()),
            _ => procfs::write(proc, &format!("sys/{}", key.replace('.', "/")), value),
        };
        match done {
            // Inside a container, whose /proc/sys is not to be written to.
            Err(rustix::io::Errno::ROFS) if plan.annotations.optional_sysctls.contains(key) => {}
            done => done.during("sysctl", key)?,
        }
    }
    Ok(())
}

/// Its clocks can be set only as long as nobody is in it (time_namespaces(7)), so it is not made by the clone.
fn enter_time(plan: &Plan, proc: &OwnedFd) -> Step<()> {
    sys_process::unshare(CLONE_NEWTIME).during("clone", "time")?;
    let offsets = plan.linux.time_offsets.iter();
    let lines: String =
        offsets.map(|(clock, offset)| format!("{clock} {} {}\n", offset.secs, offset.nanosecs)).collect();
    if !lines.is_empty() {
        procfs::write(proc, "self/timens_offsets", &lines).during("init", "timens_offsets")?;
    }
    let own = procfs::open_own(proc, "self/ns/time_for_children", OFlags::RDONLY).during("clone", "time")?;
    sys_process::join(own.as_fd(), CLONE_NEWTIME).during("clone", "time")
}

fn restrict_paths(plan: &Plan, root: &OwnedFd) -> Step<()> {
    for (index, path) in plan.linux.readonly_paths.iter().enumerate() {
        mounts::protect(root, path).during("mask", path).map_err(|failure| failure.at(index))?;
    }
    let mut covers = mounts::Covers::default();
    let masked = &plan.linux.masked_paths;
    for (index, path) in masked.iter().enumerate().filter(|(index, path)| !masked[..*index].contains(path)) {
        mounts::mask(root, path, &mut covers).during("mask", path).map_err(|failure| failure.at(index))?;
    }
    if plan.root.readonly {
        rootfs::make_read_only()?;
    }
    Ok(())
}

/// Who the program runs as: the annotation looked up in the container, or the standard's numbers.
pub fn identity(plan: &Plan, root: &OwnedFd, proc: &OwnedFd) -> Step<Identity> {
    let user = &plan.process.user;
    let mut identity = match &plan.annotations.user {
        Some(wish) => user::look_up(root, wish)?,
        None => {
            let home = user::look_up(root, &user.uid.to_string()).ok().and_then(|found| found.home);
            Identity { uid: user.uid, gid: user.gid, groups: Some(Vec::new()), home }
        }
    };
    let named = user::look_up_groups(root, &plan.annotations.groups)?;
    identity.groups.get_or_insert_default().extend(user.additional_gids.iter().chain(&named));
    if plan.annotations.single_id {
        // The one id that exists stands for all.
        let only = |list: &[rootless_core::oci::runtime::IdMapping]| list.first().map_or(0, |map| map.container_id);
        if !userns::maps(&plan.id_map.uid, identity.uid) {
            identity.uid = only(&plan.id_map.uid);
        }
        if !userns::maps(&plan.id_map.gid, identity.gid) {
            identity.gid = only(&plan.id_map.gid);
        }
        identity.groups = None;
    }
    if plan.annotations.keep_groups {
        identity.groups = None;
    }
    // A map written without CAP_SETGID gives setgroups(2) up for good (user_namespaces(7)): the caller's groups stay.
    let denied = inside::read(proc, "self/setgroups", 16).is_ok_and(|text| text.starts_with(b"deny"));
    if denied && identity.groups.as_ref().is_some_and(Vec::is_empty) {
        identity.groups = None;
    }
    Ok(identity)
}

/// `create`: waits until `start` connects; failures from here on go to it.
fn pass_gate(channel: &Channel, options: &InitOptions) -> Step<Channel> {
    let Some(gate) = &options.gate else {
        return rustix::io::fcntl_dupfd_cloexec(channel.as_fd(), 3).map(Channel::from_fd).during("init", "channel");
    };
    // The parent's side closes now, so that `create` ends.
    let start = loop {
        match rustix::net::accept_with(gate, rustix::net::SocketFlags::CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other.during("init", "start")?,
        }
    };
    let channel = Channel::from_fd(start);
    channel.expect(Message::Go, None)?;
    Ok(channel)
}

/// The standard: hooks in the container get the pid that it has there.
fn state(options: &InitOptions, status: &str) -> State {
    let pid = Some(std::process::id() as i32);
    State { status: status.to_string(), pid, ..options.bundle_state.clone() }
}

/// `--init`: this process goes on as pid 1, under the same filter and without the capabilities that the program has not
/// either; its child becomes the program.
fn split_off_init(own_program: &OwnedFd) -> Step<()> {
    // Blocked from here on, over exec too: what arrives meanwhile waits for the new pid 1.
    signal::catch().during("init", "signalfd")?;
    match sys_process::fork_under_filter().during("init", "fork")? {
        None => {
            signal::reset();
            Ok(())
        }
        Some(child) => {
            terminal::give_up();
            let pid = std::ffi::CString::new(child.to_string()).unwrap_or_default();
            let args = [pid1::INIT_NAME.into(), pid];
            Err(Failure::new("exec").errno(sys::exec::exec_fd(own_program.as_fd(), &args, &[])).on("init"))
        }
    }
}
