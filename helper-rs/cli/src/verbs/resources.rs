//! `pause`, `resume` and `update`: the cgroup of a running container.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::state::{self, Saved};
use crate::{cgroup, halt};
use rootless_core::lower::resources::as_of;
use rootless_core::oci::resources::{BlockIo, Cpu, Memory, Pids, Resources};
use std::path::PathBuf;

pub fn group(saved: &Saved) -> Step<&PathBuf> {
    saved.cgroup.as_ref().ok_or_else(|| {
        let message = match cgroup::is_unified() {
            true => "the container has no cgroup of its own",
            false => "this machine does not have cgroup v2 alone, and nothing else can be handed to users",
        };
        Failure::because("cgroup", message).on(&saved.id)
    })
}

pub fn pause(global: Global, frozen: bool) -> Step<u8> {
    let saved = Saved::read(&global.root, &args::id_alone(&global.rest)?)?;
    let (status, wanted) = (saved.status(&global.root)?, if frozen { "running" } else { "paused" });
    if status != wanted && !(frozen && status == "created") {
        return Err(Failure::because("state", format!("the container is {status}, not {wanted}")).on(&saved.id));
    }
    match &saved.cgroup {
        Some(folder) => cgroup::freeze(folder, frozen)?,
        None => halt(&saved, &state::halted(&global.root, &saved.id), frozen)?,
    }
    Ok(0)
}

/// Without a freezer: which processes were stopped is kept for those who let them go on.
fn halt(saved: &Saved, file: &std::path::Path, stop: bool) -> Step<()> {
    if stop {
        let pids: Vec<String> = halt::stop_all(saved.pid)?.iter().map(i32::to_string).collect();
        return std::fs::write(file, pids.join("\n")).during("state", file.display());
    }
    let text = std::fs::read_to_string(file).during("state", file.display())?;
    halt::go_on(&text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<_>>());
    std::fs::remove_file(file).during("state", file.display())
}

pub fn update(global: Global) -> Step<u8> {
    let mut id = None;
    let (mut memory, mut cpu, mut pids, mut io) =
        (Memory::default(), Cpu::default(), Pids::default(), BlockIo::default());
    let mut document = Resources::default();
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) => match name.as_str() {
                "resources" | "r" => document = read(&given.text()?)?,
                "memory" => memory.limit = Some(bytes(&given.text()?)?),
                "memory-swap" => memory.swap = Some(bytes(&given.text()?)?),
                "memory-reservation" => memory.reservation = Some(bytes(&given.text()?)?),
                "cpu-quota" => cpu.quota = Some(given.number()?),
                "cpu-period" => cpu.period = Some(given.number()?),
                "cpu-share" | "cpu-shares" => cpu.shares = Some(given.number()?),
                "cpu-burst" => cpu.burst = Some(given.number()?),
                "cpu-idle" => cpu.idle = Some(given.number()?),
                "cpu-rt-period" => cpu.realtime_period = Some(given.number()?),
                "cpu-rt-runtime" => cpu.realtime_runtime = Some(given.number()?),
                "cpuset-cpus" => cpu.cpus = Some(given.text()?),
                "cpuset-mems" => cpu.mems = Some(given.text()?),
                "pids-limit" => pids.limit = Some(given.number()?),
                "blkio-weight" => io.weight = Some(given.number()?),
                // Kernel memory has been no limit of its own since Linux 5.4.
                "kernel-memory" | "kernel-memory-tcp" => drop(given.text()?),
                other => return Err(args::unknown(other)),
            },
        }
    }
    let saved = Saved::read(&global.root, &args::required(id, "container id")?)?;
    if saved.status(&global.root)? == "stopped" {
        return Err(Failure::because("state", "container is not running").on(&saved.id));
    }
    let folder = group(&saved)?;
    let flags = Resources {
        memory: Some(memory),
        cpu: Some(cpu),
        pids: Some(pids),
        block_io: Some(io),
        ..Resources::default()
    };
    for mut resources in [document, flags] {
        as_of(&saved.oci_version, &mut resources);
        // systemd first: it writes what it knows, and what it rounds is put right afterwards.
        if let Some(unit) = &saved.scope {
            cgroup::scope::update(unit, &resources)?;
        }
        cgroup::update(folder, &resources)?;
    }
    Ok(0)
}

/// A document of `linux.resources`, or of a part of it.
fn read(path: &str) -> Step<Resources> {
    let text = match path {
        "-" => std::io::read_to_string(std::io::stdin()),
        path => std::fs::read_to_string(path),
    };
    let text = text.during("args", path)?;
    serde_json::from_str(&text).map_err(|error| Failure::because("config", error.to_string()).on(path))
}

/// `512m`, `1.5G`, `1048576`, `-1`.
fn bytes(text: &str) -> Step<i64> {
    let wrong = || Failure::because("args", "not a number of bytes").on(text);
    let lower = text.trim().to_ascii_lowercase();
    let plain = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(&lower);
    let (number, scale) = match plain.char_indices().last() {
        Some((at, unit)) if "kmgtp".contains(unit) => {
            (&plain[..at], 1024f64.powi("kmgtp".find(unit).map_or(0, |power| power as i32 + 1)))
        }
        _ => (plain, 1.0),
    };
    if number == "-1" && scale == 1.0 {
        return Ok(-1);
    }
    let value: f64 = number.trim().parse().map_err(|_| wrong())?;
    let value = value * scale;
    match value.is_finite() && (0.0..9e18).contains(&value) {
        true => Ok(value as i64),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_runc_reads_them() {
        for (text, wanted) in
            [("1048576", 1 << 20), ("32M", 32 << 20), ("1.5g", 3 << 29), ("64KiB", 64 << 10), ("-1", -1)]
        {
            assert_eq!(bytes(text).ok(), Some(wanted), "{text}");
        }
        for text in ["", "-2", "many", "1x", "inf", "99999999999999999999g"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
