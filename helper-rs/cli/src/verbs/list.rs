//! `list` (all containers of this root) and `ps` (the processes of one).

use super::state::print_json;
use crate::args::{self, Argument, Global, Options};
use crate::failure::{Failure, Step};
use crate::state::Saved;
use serde_json::json;
use std::fs;

pub fn list(global: Global) -> Step<u8> {
    let (mut quiet, mut as_json) = (false, false);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "quiet" || name == "q" => quiet = true,
            Argument::Option(name) if name == "format" || name == "f" => as_json = given.text()? == "json",
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(operand) => return Err(args::surplus(&operand)),
        }
    }
    let entries = fs::read_dir(&global.root).into_iter().flatten().flatten();
    let mut all: Vec<Saved> =
        entries.filter_map(|entry| Saved::read(&global.root, entry.file_name().to_str()?).ok()).collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    if as_json {
        let rows: Vec<_> = all
            .iter()
            .map(|saved| {
                let mut row = serde_json::to_value(saved.standard(&global.root)).unwrap_or_default();
                row["created"] = json!(saved.created);
                row["rootfs"] = json!(saved.rootfs);
                row
            })
            .collect();
        print_json(&rows)?;
        return Ok(0);
    }
    let mut text = String::new();
    if !quiet {
        text.push_str(&format!("{:<24} {:<8} {:<9} {}\n", "ID", "PID", "STATUS", "BUNDLE"));
    }
    for saved in &all {
        let state = saved.standard(&global.root);
        match quiet {
            true => text.push_str(&format!("{}\n", saved.id)),
            false => {
                let pid = state.pid.unwrap_or(0);
                text.push_str(&format!("{:<24} {:<8} {:<9} {}\n", state.id, pid, state.status, state.bundle));
            }
        }
    }
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}

pub fn ps(global: Global) -> Step<u8> {
    let (mut id, mut as_json) = (None, false);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "format" || name == "f" => as_json = given.text()? == "json",
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(operand) if id.is_none() => args::only_id(&mut id, operand)?,
            // Arguments for ps(1), which this helper does not run.
            Argument::Operand(_) => {}
        }
    }
    let saved = Saved::read(&global.root, &args::required(id, "container id")?)?;
    let pids = processes(&saved)?;
    if as_json {
        print_json(&pids)?;
    } else {
        for pid in pids {
            println!("{pid}");
        }
    }
    Ok(0)
}

/// From the cgroup, or else by pid namespace.
fn processes(saved: &Saved) -> Step<Vec<i32>> {
    if let Some(text) = saved.cgroup.as_ref().and_then(|path| fs::read_to_string(path.join("cgroup.procs")).ok()) {
        return Ok(text.lines().filter_map(|line| line.parse().ok()).collect());
    }
    if !saved.is_alive() {
        return Err(Failure::because("state", "container is not running").on(&saved.id));
    }
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = namespace(saved.pid);
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<i32> = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.retain(|pid| wanted.is_some() && namespace(*pid) == wanted);
    pids.sort_unstable();
    Ok(pids)
}
