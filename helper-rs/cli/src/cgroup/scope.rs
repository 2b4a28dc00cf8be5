//! A container in a scope of systemd's: made with a process in it, left to us below (Delegate), stopped at the end.

use super::{limits, tree, writes, MOUNT};
use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use crate::systemd::Manager;
use rootless_core::lower::scope::{self, Scope, Value};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// crun's: the container is in this folder of the scope.
const SUBGROUP: &str = "run.oci.systemd.subgroup";
/// The two folders of a scope that the container shares with who watches over it.
const CONTAINER: &str = "container";
const MONITOR: &str = "monitor";

/// For the process that makes the container, which is then born where this one is: systemd moves it into a new scope.
/// Limits are systemd's properties, and written to the folder, for what systemd has no word for or rounds.
pub fn enter(plan: &Plan) -> Step<()> {
    let scope = named(plan)?;
    let resources = plan.linux.resources.clone().unwrap_or_default();
    let writes = writes(Some(&resources))?;
    start(plan, &scope, scope::limits(&resources))?;
    let folder = await_move(&scope.unit)?;
    let needed: BTreeSet<&str> = writes.iter().filter_map(|write| write.controller()).collect();
    let Some(below) = plan.spec.annotations.get(SUBGROUP).filter(|name| !name.is_empty()) else {
        return limits::apply(&folder, &writes);
    };
    if below.contains('/') || below == "." || below == ".." {
        return Err(Failure::because("cgroup", "it is no name of a folder").on(SUBGROUP));
    }
    let leaf = folder.join(below);
    fs::create_dir_all(&leaf).during("cgroup", leaf.display())?;
    let file = leaf.join("cgroup.procs");
    fs::write(&file, "0").during("cgroup", file.display())?;
    tree::hand_down(&folder, &needed)?;
    limits::apply(&leaf, &writes)
}

/// For a process that stays beside the container, as long as it does: both are in one scope, each in a folder of its own. A scope that
/// we are in already is that of the container's life before.
pub fn enter_beside(plan: &Plan) -> Step<PathBuf> {
    let scope = named(plan)?;
    let own = tree::own()?;
    let is_there = own.ends_with(Path::new(&scope.unit).join(MONITOR));
    let folder = match own.parent().filter(|_| is_there) {
        Some(folder) => folder.to_path_buf(),
        None => {
            start(plan, &scope, Vec::new())?;
            await_move(&scope.unit)?
        }
    };
    let leaf = folder.join(MONITOR);
    fs::create_dir_all(&leaf).during("cgroup", leaf.display())?;
    let file = leaf.join("cgroup.procs");
    for pid in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
        fs::write(&file, pid).during("cgroup", file.display())?;
    }
    Ok(folder.join(CONTAINER))
}

fn named(plan: &Plan) -> Step<Scope> {
    let path = plan.linux.cgroups_path.as_deref().unwrap_or_default();
    scope::name(path, &plan.id).map_err(|reason| Failure::because("cgroup", reason).on("cgroupsPath"))
}

fn start(plan: &Plan, scope: &Scope, limits: Vec<(String, Value)>) -> Step<()> {
    let annotated = scope::annotated(&plan.spec.annotations)
        .map_err(|(name, reason)| Failure::because("cgroup", reason).on(name))?;
    let text = |text: &str| Value::Text(text.into());
    let mut properties = vec![
        ("Description".to_string(), Value::Text(format!("container {}", plan.id))),
        ("Delegate".to_string(), Value::Truth(true)),
        ("DefaultDependencies".to_string(), Value::Truth(false)),
        ("PIDs".to_string(), Value::Counts(vec![std::process::id()])),
    ];
    if !scope.slice.is_empty() {
        properties.push(("Slice".to_string(), text(&scope.slice)));
    }
    if !annotated.iter().any(|(name, _)| name == "CollectMode") {
        // A unit that has failed would stay, and with it its name.
        properties.push(("CollectMode".to_string(), text("inactive-or-failed")));
    }
    properties.extend(limits);
    properties.extend(annotated);
    Manager::connect()?.start_scope(&scope.unit, &properties)
}

/// The job is done when systemd has asked for the move; a user's systemd may have to ask the machine's for it.
fn await_move(unit: &str) -> Step<PathBuf> {
    const PATIENCE: usize = 5000;
    for _ in 0..PATIENCE {
        let own = tree::own()?;
        if own.file_name().is_some_and(|name| name == unit) {
            return Ok(own);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Err(Failure::because("cgroup", "systemd did not move this process").on(unit))
}

/// The scope that a process is in, and its cgroup.
pub fn of(pid: i32) -> Option<(String, PathBuf)> {
    let folder = tree::of_process(pid, Path::new(MOUNT));
    let unit =
        folder.ancestors().find_map(|path| path.file_name()?.to_str().filter(|name| name.ends_with(".scope")))?;
    Some((unit.to_string(), folder.clone()))
}

/// After the last process: systemd forgets the scope by itself, but not at once.
pub fn stop(unit: &str) {
    // Nothing of it can be left that would do harm.
    let _ = Manager::connect().and_then(|mut manager| manager.stop(unit));
}

/// For a process that may not move itself.
pub fn join(unit: &str, folder: &Path) -> Step<()> {
    Manager::connect()?.attach(unit, &below(unit, folder).unwrap_or_else(|| "/".into()), &[std::process::id()])
}

/// Brings processes that began before the scope, and theirs, to where this one is in it: they would end with the session of the caller.
pub fn fetch(unit: &str, first: impl Iterator<Item = i32>) {
    let Ok(own) = tree::own() else { return };
    let Some(below) = below(unit, &own) else { return };
    let is_stray = |pid: &i32| tree::of_process(*pid, Path::new(MOUNT)) != own;
    let strays = first.flat_map(family).filter(is_stray).filter_map(|pid| u32::try_from(pid).ok()).collect::<Vec<_>>();
    if !strays.is_empty() {
        // Where systemd does not do it they stay where they are, and serve all the same.
        let _ = Manager::connect().and_then(|mut manager| manager.attach(unit, &below, &strays));
    }
}

/// The folder as systemd names it in the unit; none where it is not in there.
fn below(unit: &str, folder: &Path) -> Option<String> {
    let name = std::ffi::OsStr::new(unit);
    let root = folder.ancestors().find(|path| path.file_name() == Some(name))?;
    folder.strip_prefix(root).ok().map(|path| format!("/{}", path.display()))
}

/// A process and all below it.
fn family(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = list.split_ascii_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(pid).chain(children.flat_map(family)).collect()
}

/// New limits of a running container, for systemd's own books.
pub fn update(unit: &str, resources: &rootless_core::oci::resources::Resources) -> Step<()> {
    let properties = scope::limits(resources);
    match properties.is_empty() {
        true => Ok(()),
        false => Manager::connect()?.set(unit, &properties),
    }
}
