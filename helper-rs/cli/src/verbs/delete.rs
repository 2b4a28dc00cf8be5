//! `delete`: forgets a stopped container; `--force` kills it first.

use super::list;
use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::plan;
use crate::state::{self, Saved};
use crate::sys::process;
use crate::{cgroup, hooks, resctrl};
use rustix::event::{poll, PollFd, PollFlags, Timespec};

pub fn delete(global: Global) -> Step<u8> {
    let (mut id, mut force, mut regex) = (None, false, false);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) if name == "force" || name == "f" => force = true,
            Argument::Option(name) if name == "regex" || name == "r" => regex = true,
            Argument::Option(name) => return Err(args::unknown(&name)),
        }
    }
    let id = args::required(id, "container id")?;
    for id in if regex { list::matching(&global.root, &id)? } else { vec![id] } {
        remove(&global, &id, force)?;
    }
    Ok(0)
}

pub fn remove(global: &Global, id: &str, force: bool) -> Step<()> {
    let saved = match Saved::read(&global.root, id) {
        Ok(saved) => saved,
        // A half-written or missing state: with force whatever is left of it goes.
        Err(failure) if force && plan::check_id(id).is_ok() && state::is_damage(&failure) => {
            if let Some(half_made) = Saved::read_half_made(&global.root, id)? {
                kill(&half_made)?;
                half_made.cgroup.iter().for_each(|path| cgroup::remove(path));
            }
            return state::forget(&global.root, id);
        }
        Err(failure) => return Err(failure),
    };
    let status = saved.status(&global.root)?;
    if status != "stopped" {
        if !force && status != "created" {
            let message = format!("cannot delete a container that is {status}, it is not stopped");
            return Err(Failure::because("state", message).on(id));
        }
        kill(&saved)?;
    }
    if let Some(path) = &saved.cgroup {
        cgroup::remove(path);
    }
    if let Some(unit) = &saved.scope {
        cgroup::scope::stop(unit);
    }
    resctrl::leave(&saved.resctrl);
    if let Ok(plan) = saved.plan(&global.root) {
        hooks::run_poststop(&plan, &global.reporter);
    }
    state::forget(&global.root, id)
}

pub fn kill(saved: &Saved) -> Step<()> {
    let Some(pidfd) = saved.process()? else { return Ok(()) };
    process::send_signal(&pidfd, libc::SIGKILL).during("wait", &saved.id)?;
    // The pidfd of any process becomes readable at its end, whoever its parent is.
    let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
    match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience)) {
        Ok(0) => Err(Failure::because("wait", "it does not end after SIGKILL").on(&saved.id)),
        _ => Ok(()),
    }
}
