//! `kill`: a signal to the first process, or with `--all` to every process of the container.

use super::list;
use crate::args::{self, Argument, Global, Options};
use crate::cgroup;
use crate::failure::{During, Failure, Step};
use crate::state::Saved;
use crate::sys::process;

pub fn kill(global: Global) -> Step<u8> {
    let (mut id, mut signal, mut all, mut regex) = (None, None, false, false);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "all" || name == "a" => all = true,
            Argument::Option(name) if name == "regex" || name == "r" => regex = true,
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(operand) if id.is_none() => args::only_id(&mut id, operand)?,
            Argument::Operand(operand) if signal.is_none() => signal = Some(operand.to_string_lossy().into_owned()),
            Argument::Operand(operand) => return Err(args::surplus(&operand)),
        }
    }
    let id = args::required(id, "container id")?;
    let signal = number(signal.as_deref().unwrap_or("SIGTERM"))?;
    for id in if regex { list::matching(&global.root, &id)? } else { vec![id] } {
        send(&Saved::read(&global.root, &id)?, signal, all)?;
    }
    Ok(0)
}

fn send(saved: &Saved, signal: i32, all: bool) -> Step<()> {
    // Without a pid namespace of its own nothing ends with the first process.
    let is_left = || match saved.is_alive()? {
        true => Ok(!has_own_pids(saved.pid)),
        false => Ok(list::processes(saved).is_ok_and(|pids| !pids.is_empty())),
    };
    let everybody = all || signal == libc::SIGKILL && saved.cgroup.is_some() && is_left()?;
    if !everybody {
        let pidfd = saved.open()?;
        return process::send_signal(&pidfd, signal).during("wait", &saved.id);
    }
    if let Some(folder) = saved.cgroup.as_ref().filter(|path| path.is_dir()) {
        return cgroup::signal_all(folder, signal);
    }
    for pid in list::processes(saved).unwrap_or_default() {
        if let Ok(pidfd) = process::open_pidfd(pid) {
            let _ = process::send_signal(&pidfd, signal);
        }
    }
    Ok(())
}

fn has_own_pids(pid: i32) -> bool {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    namespace(&pid.to_string()) != namespace("self")
}

/// `TERM`, `SIGTERM`, `sigterm`, `15`, `SIGRTMIN+3`.
fn number(name: &str) -> Step<i32> {
    const NAMES: &[&str] = &[
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = NAMES.iter().position(|known| *known == bare).map(|at| at as i32 + 1);
    let numeric = || bare.parse().ok().filter(|number| (0..=64).contains(number));
    let real_time = || {
        let (base, rest) = match (bare.strip_prefix("RTMIN"), bare.strip_prefix("RTMAX")) {
            (Some(rest), _) => (34, rest),
            (_, Some(rest)) => (64, rest),
            _ => return None,
        };
        let offset: i32 = if rest.is_empty() { 0 } else { rest.parse().ok()? };
        Some(base + offset).filter(|number| (34..=64).contains(number))
    };
    known.or_else(numeric).or_else(real_time).ok_or_else(|| Failure::because("args", "unknown signal").on(name))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn signals_have_names_and_numbers() {
        for (name, wanted) in
            [("TERM", 15), ("SIGKILL", 9), ("sigusr1", 10), ("1", 1), ("0", 0), ("SIGRTMIN+3", 37), ("RTMAX-1", 63)]
        {
            assert_eq!(number(name).unwrap(), wanted, "{name}");
        }
        for name in ["", "65", "SIGNOPE", "RTMIN+99", "-1"] {
            assert!(number(name).is_err(), "{name}");
        }
    }
}
