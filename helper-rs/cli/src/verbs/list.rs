//! `list` (all containers of this root) and `ps` (the processes of one).

use super::state::print_json;
use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::state::Saved;
use crate::sys::regex::Regex;
use serde_json::json;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub fn list(global: Global) -> Step<u8> {
    let (mut quiet, mut as_json) = (false, false);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "quiet" || name == "q" => quiet = true,
            Argument::Option(name) if name == "format" || name == "f" => as_json = is_json(&given.text()?)?,
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(operand) => return Err(args::surplus(&operand)),
        }
    }
    let entries = fs::read_dir(&global.root).into_iter().flatten().flatten();
    let mut all: Vec<Saved> =
        entries.filter_map(|entry| Saved::read(&global.root, entry.file_name().to_str()?).ok()).collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let owner =
        |saved: &Saved| fs::metadata(crate::state::folder(&global.root, &saved.id)).map_or(0, |folder| folder.uid());
    if as_json {
        let rows: Vec<_> = all
            .iter()
            .map(|saved| {
                let mut row = serde_json::to_value(saved.standard(&global.root)).unwrap_or_default();
                row["created"] = json!(saved.created);
                row["rootfs"] = json!(saved.rootfs);
                row["owner"] = json!(user_name(owner(saved)));
                row
            })
            .collect();
        print_json(&rows)?;
        return Ok(0);
    }
    let mut text = String::new();
    if !quiet {
        text.push_str(&line(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]));
    }
    for saved in &all {
        let state = saved.standard(&global.root);
        match quiet {
            true => text.push_str(&format!("{}\n", saved.id)),
            false => {
                let pid = state.pid.unwrap_or(0).to_string();
                let owner = user_name(owner(saved));
                text.push_str(&line([&state.id, &pid, &state.status, &state.bundle, &saved.created, &owner]));
            }
        }
    }
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}

fn line([id, pid, status, bundle, created, owner]: [&str; 6]) -> String {
    format!("{id:<24} {pid:<8} {status:<9} {bundle:<40} {created:<31} {owner}\n")
}

/// As in the host's /etc/passwd; `#1000` for who is not there.
fn user_name(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_string())
    });
    name.unwrap_or_else(|| format!("#{uid}"))
}

fn is_json(format: &str) -> Step<bool> {
    match format {
        "json" => Ok(true),
        "table" => Ok(false),
        other => Err(Failure::because("args", "a format is table or json").on(other)),
    }
}

pub fn ps(global: Global) -> Step<u8> {
    let (mut id, mut as_json) = (None, false);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "format" || name == "f" => as_json = is_json(&given.text()?)?,
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

/// From the cgroup and those below it, or else what shares the pid namespace; in one that is not the container's own, what
/// descends from its first process.
pub fn processes(saved: &Saved) -> Step<Vec<i32>> {
    if let Some(path) = saved.cgroup.as_ref().filter(|path| path.is_dir()) {
        let mut pids = Vec::new();
        gather(path, &mut pids);
        pids.sort_unstable();
        return Ok(pids);
    }
    if !saved.is_alive() {
        return Err(Failure::because("state", "container not running").on(&saved.id));
    }
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = namespace(&saved.pid.to_string());
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<i32> = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    if wanted == namespace("self") {
        return Ok(descendants(saved.pid, &pids));
    }
    pids.retain(|pid| wanted.is_some() && namespace(&pid.to_string()) == wanted);
    Ok(pids)
}

fn gather(cgroup: &Path, pids: &mut Vec<i32>) {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    for below in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            gather(&below.path(), pids);
        }
    }
}

fn descendants(first: i32, all: &[i32]) -> Vec<i32> {
    let parent = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat[stat.rfind(')')? + 1..].split_ascii_whitespace().nth(1)?.parse::<i32>().ok()
    };
    let parents: Vec<(i32, Option<i32>)> = all.iter().map(|pid| (*pid, parent(pid))).collect();
    let mut found = vec![first];
    loop {
        let more = parents
            .iter()
            .filter(|(pid, parent)| !found.contains(pid) && parent.is_some_and(|parent| found.contains(&parent)));
        let more: Vec<i32> = more.map(|(pid, _)| *pid).collect();
        if more.is_empty() {
            found.sort_unstable();
            return found;
        }
        found.extend(more);
    }
}

/// The containers of this root whose ids match a regular expression.
pub fn matching(root: &Path, pattern: &str) -> Step<Vec<String>> {
    let c = |text: &str| CString::new(text).map_err(|_| Failure::because("args", "NUL byte").on(pattern));
    let regex = Regex::new(&c(pattern)?).during("args", pattern)?;
    let names = fs::read_dir(root).into_iter().flatten().flatten();
    let mut ids: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    ids.retain(|id| c(id).is_ok_and(|id| regex.matches(&id)));
    ids.sort();
    Ok(ids)
}
