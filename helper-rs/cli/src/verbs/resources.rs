//! `pause`, `resume`, `update`, `events --stats`: the cgroup of a running container.

use super::state::print_json;
use crate::args::{self, Argument, Global, Options};
use crate::cgroup;
use crate::failure::{During, Failure, Step};
use crate::state::Saved;
use rootless_core::oci::runtime::{Cpu, Memory, Pids, Resources};
use serde_json::json;
use std::path::PathBuf;

fn group(saved: &Saved) -> Step<&PathBuf> {
    saved
        .cgroup
        .as_ref()
        .ok_or_else(|| Failure::because("cgroup", "the container has no cgroup of its own").on(&saved.id))
}

pub fn pause(global: Global, frozen: bool) -> Step<u8> {
    let saved = Saved::read(&global.root, &args::id_alone(&global.rest)?)?;
    let (status, wanted) = (saved.status(&global.root), if frozen { "running" } else { "paused" });
    if status != wanted {
        return Err(Failure::because("state", format!("the container is {status}, not {wanted}")).on(&saved.id));
    }
    cgroup::freeze(group(&saved)?, frozen)?;
    Ok(0)
}

pub fn update(global: Global) -> Step<u8> {
    let mut id = None;
    let (mut memory, mut cpu, mut pids) = (Memory::default(), Cpu::default(), Pids::default());
    let mut resources = Resources::default();
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) => match name.as_str() {
                "resources" | "r" => {
                    let path = given.text()?;
                    let text = match path.as_str() {
                        "-" => std::io::read_to_string(std::io::stdin()),
                        path => std::fs::read_to_string(path),
                    };
                    let text = text.during("args", &path)?;
                    resources = serde_json::from_str(&text).map_err(|e| Failure::because("config", e.to_string()))?;
                }
                "memory" => memory.limit = Some(given.number()?),
                "memory-swap" => memory.swap = Some(given.number()?),
                "memory-reservation" => memory.reservation = Some(given.number()?),
                "cpu-quota" => cpu.quota = Some(given.number()?),
                "cpu-period" => cpu.period = Some(given.number()?),
                "cpu-share" => cpu.shares = Some(given.number()?),
                "cpu-burst" => cpu.burst = Some(given.number()?),
                "cpuset-cpus" => cpu.cpus = Some(given.text()?),
                "cpuset-mems" => cpu.mems = Some(given.text()?),
                "pids-limit" => pids.limit = Some(given.number()?),
                other => return Err(args::unknown(other)),
            },
        }
    }
    let saved = Saved::read(&global.root, &args::required(id, "container id")?)?;
    let path = group(&saved)?;
    cgroup::update(path, &resources)?;
    cgroup::update(
        path,
        &Resources { memory: Some(memory), cpu: Some(cpu), pids: Some(pids), ..Resources::default() },
    )?;
    Ok(0)
}

/// One sample, in the form that engines parse.
pub fn events(global: Global) -> Step<u8> {
    let (mut id, mut stats) = (None, false);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) if name == "stats" => stats = true,
            Argument::Option(name) if name == "interval" => drop(given.value()?),
            Argument::Option(name) => return Err(args::unknown(&name)),
        }
    }
    if !stats {
        return Err(Failure::because("args", "only events --stats"));
    }
    let saved = Saved::read(&global.root, &args::required(id, "container id")?)?;
    let path = group(&saved)?;
    let number = |file: &str| -> u64 {
        let text = std::fs::read_to_string(path.join(file)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    };
    let field = |file: &str, name: &str| -> u64 {
        let text = std::fs::read_to_string(path.join(file)).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or(0)
    };
    print_json(&json!({
        "type": "stats",
        "id": saved.id,
        "data": {
            "cpu": { "usage": { "total": field("cpu.stat", "usage_usec ") * 1000 } },
            "memory": { "usage": { "usage": number("memory.current"), "limit": number("memory.max"), "max": number("memory.peak") } },
            "pids": { "current": number("pids.current"), "limit": number("pids.max") },
        },
    }))?;
    Ok(0)
}
