//! One more process in a container that runs: into its namespaces, then to its program, one step a line.

use crate::channel::{self, Channel, Message};
use crate::failure::{During, Failure, Step};
use crate::middle::{self, Middle};
use crate::plan::Plan;
use crate::process::{self, Program};
use crate::sys::process as sys;
use crate::{init, keyring, labels, procfs, terminal};
use rootless_core::lower::namespaces::{CLONE_NEWUSER, KINDS};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::borrow::Borrow;

/// Where to enter, and what with.
pub struct Entry<'a> {
    /// The container's first process.
    pub pid: i32,
    pub init: BorrowedFd<'a>,
    /// The folder of its cgroup, to be joined.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// The container has one of its own, joined here or by systemd.
    pub own_cgroup: bool,
    /// For the program's 0, 1 and 2; `None` leaves the caller's.
    pub streams: &'a [Option<OwnedFd>; 3],
    pub preserve_fds: u32,
    pub die_with_parent: bool,
    /// See `InitOptions`.
    pub plain_lines: bool,
}

/// Begins; `plan` is called in the new process, so that this one neither waits nor grows.
pub fn begin<P: Borrow<Plan>>(entry: &Entry<'_>, plan: impl FnOnce() -> Step<P>) -> Step<Middle> {
    let join_and_clone = || {
        let plan = plan()?;
        let affinity = plan.borrow().process.exec_cpu_affinity.as_ref();
        set_affinity(affinity.and_then(|affinity| affinity.initial.as_deref()))?;
        let flags = different_namespaces(entry.pid);
        // Inside from here on: nothing in the container may look into this process.
        let proc = procfs::take()?;
        sys::set_dumpable(false).and_then(|()| sys::join(entry.init, flags)).during("clone", "namespaces")?;
        Ok((sys::clone(libc::CLONE_PARENT, None).during("clone", "process")?, (plan, proc, flags)))
    };
    middle::start(channel::pair()?, entry.cgroup, join_and_clone, |(plan, proc, flags), theirs| {
        let failure = match story(plan.borrow(), &theirs, entry, flags, &proc) {
            Ok(program) => program.exec(),
            Err(failure) => failure,
        };
        theirs.send_failure(&failure);
        failure
    })
}

/// `execCPUAffinity`: where the process runs before it is in the container, and from then on.
fn set_affinity(list: Option<&str>) -> Step<()> {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(()) };
    let wrong = || Failure::because("init", "not a list of processors").on(list);
    let mut set = rustix::thread::CpuSet::new();
    for cpu in rootless_core::lower::ranges::parse(list, rustix::thread::CpuSet::MAX_CPU).ok_or_else(wrong)? {
        set.set(cpu);
    }
    rustix::thread::sched_setaffinity(None, &set).during("init", list)
}

/// Joining a user namespace that is already ours is an error in the kernel: join only what differs.
fn different_namespaces(pid: i32) -> i32 {
    let link = |pid: &str, name: &str| std::fs::read_link(format!("/proc/{pid}/ns/{name}")).ok();
    let differs = |name: &str| link(&pid.to_string(), name) != link("self", name);
    KINDS.iter().filter(|(_, _, name)| differs(name)).fold(0, |flags, (_, flag, _)| flags | flag)
}

fn story(plan: &Plan, channel: &Channel, entry: &Entry<'_>, joined: i32, host_proc: &OwnedFd) -> Step<Program> {
    for (number, stream) in (0..).zip(entry.streams) {
        if let Some(stream) = stream {
            sys::dup_to(stream.as_fd(), number).during("console", "streams")?;
        }
    }
    rustix::process::setsid().during("init", "setsid")?;
    if joined & CLONE_NEWUSER != 0 {
        init::become_root(plan)?;
        // The change of ids has undone it where the host lets set-uid programs be dumped.
        sys::set_dumpable(false).during("init", "dumpable")?;
    }
    keyring::renew(plan)?;
    let affinity = plan.process.exec_cpu_affinity.as_ref().and_then(|affinity| affinity.last.as_deref());
    match affinity {
        Some(list) if !list.is_empty() => set_affinity(Some(list))?,
        _ if entry.own_cgroup => process::spread(),
        _ => {}
    }
    let root = rustix::fs::open("/", rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty())
        .during("init", "/")?;
    let identity = init::identity(plan, &root, host_proc)?;
    process::limit(&plan.process)?;
    if plan.process.terminal {
        let master = terminal::take(identity.uid, plan.process.console_size, true, entry.plain_lines)?;
        channel.send(Message::Terminal, Some(master.as_fd()))?;
    }
    let program = Program::new(&plan.process, identity.home.as_deref())?;
    let labels = labels::prepare(&plan.process, host_proc)?;
    let kept = (entry.preserve_fds, entry.die_with_parent);
    init::become_program(plan, &identity, channel, kept, &labels, plan.filter.as_ref())?;
    Ok(program)
}
