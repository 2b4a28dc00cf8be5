//! `list` (all containers of this root) and `ps` (the processes of one).

use super::state::{print, print_json};
use crate::args::{self, Argument, Global, Options};
use crate::cgroup;
use crate::failure::{During, Failure, Step};
use crate::procfs;
use crate::state::Saved;
use crate::sys::regex::Regex;
use crate::user::host_name;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

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
    if global.root_given {
        fs::metadata(&global.root).during("state", global.root.display())?;
    }
    let entries = fs::read_dir(&global.root).into_iter().flatten().flatten();
    let mut all: Vec<Saved> =
        entries.filter_map(|entry| Saved::read(&global.root, entry.file_name().to_str()?).ok()).collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let rows = all.iter().map(|saved| Row::of(saved, &global.root)).collect::<Step<Vec<Row>>>()?;
    if as_json {
        // One line, in the order of runc: scripts cut it.
        return print(&format!("{}\n", serde_json::to_string(&rows).unwrap_or_default())).map(|()| 0);
    }
    let mut text = String::new();
    if !quiet {
        text.push_str(&line(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]));
    }
    for row in rows {
        let pid = row.pid.to_string();
        match quiet {
            true => text.push_str(&format!("{}\n", row.id)),
            false => text.push_str(&line([&row.id, &pid, &row.status, &row.bundle, &row.created, &row.owner])),
        }
    }
    print(&text).map(|()| 0)
}

/// A container as `state` and `list` show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    oci_version: String,
    id: String,
    pid: i32,
    status: String,
    bundle: String,
    rootfs: String,
    created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    owner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_killed: Option<bool>,
}

impl Row {
    pub fn of(saved: &Saved, root: &Path) -> Step<Row> {
        let state = saved.standard(root)?;
        let owner = fs::metadata(crate::state::folder(root, &saved.id)).map_or(0, |folder| folder.uid());
        Ok(Row {
            oci_version: state.oci_version,
            id: state.id,
            pid: state.pid.unwrap_or(0),
            status: state.status,
            bundle: state.bundle,
            rootfs: saved.rootfs.display().to_string(),
            created: saved.created.clone(),
            annotations: state.annotations,
            owner: host_name(owner),
            oom_killed: None,
        })
    }
}

fn line([id, pid, status, bundle, created, owner]: [&str; 6]) -> String {
    format!("{id:<24} {pid:<8} {status:<9} {bundle:<40} {created:<31} {owner}\n")
}

fn is_json(format: &str) -> Step<bool> {
    match format {
        "json" => Ok(true),
        "table" => Ok(false),
        other => Err(Failure::because("args", "a format is table or json").on(other)),
    }
}

pub fn ps(global: Global) -> Step<u8> {
    let (mut id, mut as_json, mut rest) = (None, false, Vec::new());
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "format" || name == "f" => as_json = is_json(&given.text()?)?,
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(operand) => {
                args::only_id(&mut id, operand)?;
                rest = given.rest();
            }
        }
    }
    let saved = Saved::read(&global.root, &args::required(id, "container id")?)?;
    let pids = processes(&saved)?;
    if as_json {
        print_json(&pids)?;
        return Ok(0);
    }
    print(&table(&pids, rest)?).map(|()| 0)
}

/// What ps(1) of the host says of these processes; its column PID tells which.
fn table(pids: &[i32], mut rest: Vec<OsString>) -> Step<String> {
    if rest.is_empty() {
        rest.push("-ef".into());
    }
    let output = Command::new("ps").args(&rest).output().during("wait", "ps")?;
    if !output.status.success() {
        return Err(Failure::because("wait", String::from_utf8_lossy(&output.stderr).trim()).on("ps"));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let column = head.split_ascii_whitespace().position(|name| name == "PID");
    let column = column.ok_or_else(|| Failure::because("args", "ps says no PID with these options"))?;
    let mine = |line: &&str| {
        let pid = line.split_ascii_whitespace().nth(column).and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid: i32| pids.contains(&pid))
    };
    Ok(std::iter::once(head).chain(lines.filter(mine)).map(|line| format!("{line}\n")).collect())
}

/// From the cgroup and those below it, or else what shares the pid namespace; in one that is not the container's own, what
/// descends from its first process.
pub fn processes(saved: &Saved) -> Step<Vec<i32>> {
    if let Some(path) = saved.cgroup.as_ref().filter(|path| path.is_dir()) {
        let mut pids = cgroup::processes(path)?;
        pids.sort_unstable();
        return Ok(pids);
    }
    if !saved.is_alive()? {
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

fn descendants(first: i32, all: &[i32]) -> Vec<i32> {
    let parent = |pid: &i32| {
        let stat = procfs::text(pid, "stat").ok()?;
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
