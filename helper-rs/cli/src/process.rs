//! From the namespace's root to the container's program: limits, ids, capabilities, exec (config.md "Process").

use crate::failure::{During, Failure, Step};
use crate::plan::CapMasks;
use crate::sys::process::{self as sys, CapSets, SchedAttr};
use crate::user::Identity;
use rootless_core::oci::runtime::{Process, Rlimit};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::ffi::CString;

/// Resource limits and priorities: what may need the capabilities that are dropped later.
pub fn limit(process: &Process) -> Step<()> {
    for (index, rlimit) in process.rlimits.iter().enumerate() {
        set_rlimit(rlimit).map_err(|failure| failure.at(index))?;
    }
    if let Some(priority) = &process.io_priority {
        let class = match priority.class.as_str() {
            "IOPRIO_CLASS_RT" => 1,
            "IOPRIO_CLASS_BE" => 2,
            _ => 3,
        };
        sys::set_io_priority(class, priority.priority as u32).during("rlimit", &priority.class)?;
    }
    if let Some(scheduler) = &process.scheduler {
        // The standard: what is not said is 0. Where that takes a right, it is what it was.
        let own = || rustix::process::getpriority_process(None).ok();
        let usual = || if rustix::process::setpriority_process(None, 0).is_ok() { Some(0) } else { own() };
        let attr = SchedAttr {
            policy: policy(&scheduler.policy),
            flags: scheduler.flags.iter().fold(0, |all, flag| all | scheduler_flag(flag)),
            nice: scheduler.nice.or_else(usual).unwrap_or(0),
            priority: scheduler.priority as u32,
            runtime: scheduler.runtime,
            deadline: scheduler.deadline,
            period: scheduler.period,
            size: 0,
        };
        sys::set_scheduler(attr).during("rlimit", &scheduler.policy)?;
    }
    Ok(())
}

/// To all processors that its cgroup has, whatever its caller was bound to, as runc and docker do.
pub fn spread() {
    let mut all = rustix::thread::CpuSet::new();
    (0..rustix::thread::CpuSet::MAX_CPU).for_each(|cpu| all.set(cpu));
    let _ = rustix::thread::sched_setaffinity(None, &all);
}

fn set_rlimit(rlimit: &Rlimit) -> Step<()> {
    const NAMES: &[&str] = &[
        "CPU",
        "FSIZE",
        "DATA",
        "STACK",
        "CORE",
        "RSS",
        "NPROC",
        "NOFILE",
        "MEMLOCK",
        "AS",
        "LOCKS",
        "SIGPENDING",
        "MSGQUEUE",
        "NICE",
        "RTPRIO",
        "RTTIME",
    ];
    let name = rlimit.kind.strip_prefix("RLIMIT_").unwrap_or(&rlimit.kind);
    let number = NAMES.iter().position(|known| *known == name);
    let number = number.ok_or_else(|| Failure::because("rlimit", "unknown limit").on(&rlimit.kind))?;
    sys::set_rlimit(number as u32, rlimit.soft, rlimit.hard).during("rlimit", &rlimit.kind)
}

fn policy(name: &str) -> u32 {
    match name {
        "SCHED_FIFO" => 1,
        "SCHED_RR" => 2,
        "SCHED_BATCH" => 3,
        "SCHED_ISO" => 4,
        "SCHED_IDLE" => 5,
        "SCHED_DEADLINE" => 6,
        _ => 0,
    }
}

fn scheduler_flag(name: &str) -> u64 {
    match name {
        "SCHED_FLAG_RESET_ON_FORK" => 1,
        "SCHED_FLAG_RECLAIM" => 2,
        "SCHED_FLAG_DL_OVERRUN" => 4,
        "SCHED_FLAG_KEEP_POLICY" => 8,
        "SCHED_FLAG_KEEP_PARAMS" => 16,
        "SCHED_FLAG_UTIL_CLAMP_MIN" => 32,
        "SCHED_FLAG_UTIL_CLAMP_MAX" => 64,
        _ => 0,
    }
}

/// Takes the identity and gives up every capability that is not in the sets. The order is the kernel's:
/// bounding needs CAP_SETPCAP, groups CAP_SETGID, the uid comes last because its change empties the effective set.
pub fn become_user(identity: &Identity, caps: &CapMasks, umask: Option<u32>) -> Step<()> {
    for capability in 0..64 {
        if caps.bounding & (1 << capability) == 0 {
            sys::drop_bounding(capability).during("capabilities", "bounding")?;
        }
    }
    sys::keep_capabilities().during("capabilities", "keep")?;
    if let Some(groups) = &identity.groups {
        let groups: Vec<Gid> = groups.iter().map(|id| Gid::from_raw(*id)).collect();
        rustix::thread::set_thread_groups(&groups).during("user", format!("groups {groups:?}"))?;
    }
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid).during("user", format!("gid {}", identity.gid))?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).during("user", format!("uid {}", identity.uid))?;
    if let Some(mask) = umask {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
    }
    let sets = CapSets { effective: caps.effective, permitted: caps.permitted, inheritable: caps.inheritable };
    sys::set_capabilities(sets).during("capabilities", "capset")?;
    sys::clear_ambient().during("capabilities", "ambient")?;
    for capability in (0..64).filter(|capability| caps.ambient & (1 << capability) != 0) {
        sys::raise_ambient(capability).during("capabilities", "ambient")?;
    }
    Ok(())
}

/// Each variable once, with its last value; HOME from the container's /etc/passwd where it has none.
pub fn environment(asked: &[String], home: Option<&str>) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_string();
    let mut env: Vec<String> = Vec::with_capacity(asked.len() + 1);
    for entry in asked {
        match env.iter_mut().find(|known| name(known) == name(entry)) {
            Some(known) => known.clone_from(entry),
            None => env.push(entry.clone()),
        }
    }
    env.retain(|entry| entry != "HOME=");
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        env.push(format!("HOME={}", home.unwrap_or("/")));
    }
    env
}

/// The program to execute, with all memory for it already taken.
pub struct Program {
    args: Vec<CString>,
    env: Vec<CString>,
    candidates: Vec<CString>,
}

impl Program {
    /// Resolves nothing yet: a name without a slash is tried in each folder of PATH, as execvp(3) does.
    pub fn new(process: &Process, home: Option<&str>) -> Step<Program> {
        let c = |text: &str| CString::new(text).map_err(|_| Failure::because("exec", "NUL byte in an argument"));
        let name = process.args.first().ok_or_else(|| Failure::because("exec", "no program to run"))?;
        let env = environment(&process.env, home);
        let candidates = if name.contains('/') {
            vec![c(name)?]
        } else {
            let path = env.iter().rev().find_map(|entry| entry.strip_prefix("PATH="));
            let path = path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
            let in_folder =
                |folder: &str| if folder.is_empty() { format!("./{name}") } else { format!("{folder}/{name}") };
            path.split(':').map(|folder| c(&in_folder(folder))).collect::<Step<_>>()?
        };
        Ok(Program {
            args: process.args.iter().map(|arg| c(arg)).collect::<Step<_>>()?,
            env: env.iter().map(|entry| c(entry)).collect::<Step<_>>()?,
            candidates,
        })
    }

    /// For `create`, which says what cannot be executed; engines ask for it there, and not when they start the container.
    pub fn look_for(&self) -> Step<()> {
        let name = self.args.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        let mut found = None;
        for path in &self.candidates {
            match rustix::fs::stat(path.as_c_str()) {
                // Who may execute it, if anybody, is found out by whoever it becomes.
                Ok(stat) if stat.st_mode & 0o170_000 == 0o100_000 && stat.st_mode & 0o111 != 0 => return Ok(()),
                Ok(_) | Err(Errno::ACCESS) => found = Some(path),
                Err(_) => {}
            }
        }
        Err(match found {
            Some(path) => Failure::new("exec").errno(Errno::ACCESS).on(path.to_string_lossy()).exit(126),
            None => Failure::new("exec").errno(Errno::NOENT).on(name).exit(127),
        })
    }

    /// Becomes the program; returns only why it could not: 127 not found, 126 found but cannot run.
    pub fn exec(&self) -> Failure {
        let name = self.args.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        let mut denied = false;
        for path in &self.candidates {
            match crate::sys::exec::exec(path, &self.args, &self.env) {
                Errno::NOENT if exists(path) => {
                    return Failure::because("exec", "its interpreter is missing")
                        .errno(Errno::NOENT)
                        .on(path.to_string_lossy())
                        .exit(127)
                }
                Errno::NOENT | Errno::NOTDIR => {}
                Errno::ACCESS if self.candidates.len() > 1 => denied = true,
                error => return Failure::new("exec").errno(error).on(path.to_string_lossy()).exit(126),
            }
        }
        let (errno, exit) = if denied { (Errno::ACCESS, 126) } else { (Errno::NOENT, 127) };
        Failure::new("exec").errno(errno).on(name).exit(exit)
    }
}

fn exists(path: &CString) -> bool {
    rustix::fs::stat(path.as_c_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::environment;

    #[test]
    fn a_variable_has_its_last_value_and_home_is_never_empty() {
        let env = |list: &[&str]| environment(&list.iter().map(ToString::to_string).collect::<Vec<_>>(), Some("/h"));
        assert_eq!(env(&["A=1", "B=2", "A=3"]), ["A=3", "B=2", "HOME=/h"]);
        assert_eq!(env(&["HOME=/x", "HOME="]), ["HOME=/h"]);
        assert_eq!(env(&["HOME=/x"]), ["HOME=/x"]);
        assert_eq!(environment(&[], None), ["HOME=/"]);
    }
}
