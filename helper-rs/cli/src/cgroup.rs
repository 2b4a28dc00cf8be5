//! cgroup v2: a leaf for the container, its limits, and its end. Which subtree is ours is decided in TypeScript.

use crate::failure::{During, Failure, Step};
use rootless_core::oci::runtime::{Linux, Resources};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::fs;
use std::path::{Path, PathBuf};

const MOUNT: &str = "/sys/fs/cgroup";
const CGROUP2_MAGIC: rustix::fs::FsWord = 0x6367_7270;

/// A cgroup that was made for one container.
pub struct Cgroup {
    pub path: PathBuf,
    pub fd: OwnedFd,
}

/// Makes the leaf and sets its limits. On a host without a pure cgroup v2 tree a path alone is ignored; limits are refused.
pub fn make(linux: &Linux) -> Step<Option<Cgroup>> {
    let wanted = linux.resources.as_ref().map(values).unwrap_or_default();
    let unified = rustix::fs::statfs(MOUNT).is_ok_and(|fs| fs.f_type == CGROUP2_MAGIC);
    let path = linux.cgroups_path.as_deref().unwrap_or_default();
    if !unified || path.is_empty() {
        return match wanted.first() {
            None => Ok(None),
            Some((file, _)) => {
                Err(Failure::because("cgroup", "limits need cgroup v2 and a delegated subtree").on(file))
            }
        };
    }
    if path.split('/').any(|part| part == "..") {
        return Err(Failure::because("cgroup", "\"..\" in cgroupsPath").on(path));
    }
    let path = Path::new(MOUNT).join(path.trim_start_matches('/'));
    fs::create_dir_all(&path).during("cgroup", path.display())?;
    for (file, value) in wanted {
        let file = path.join(file);
        fs::write(&file, value).during("cgroup", file.display())?;
    }
    let fd = rustix::fs::open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .during("cgroup", path.display())?;
    Ok(Some(Cgroup { path, fd }))
}

/// Interface files and what to write, from `linux.resources` (config-linux.md "Control groups").
fn values(resources: &Resources) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut set = |file: &str, value: String| out.push((file.to_string(), value));
    let limit = |value: i64| if value < 0 { "max".to_string() } else { value.to_string() };
    if let Some(memory) = &resources.memory {
        if let Some(value) = memory.limit {
            set("memory.max", limit(value));
        }
        if let Some(value) = memory.reservation {
            set("memory.low", limit(value));
        }
        // The standard counts memory and swap together, the kernel swap alone.
        match (memory.swap, memory.limit) {
            (Some(swap), _) if swap < 0 => set("memory.swap.max", "max".into()),
            (Some(swap), Some(limit)) if limit > 0 => set("memory.swap.max", (swap - limit).max(0).to_string()),
            _ => {}
        }
    }
    if let Some(cpu) = &resources.cpu {
        if cpu.quota.is_some() || cpu.period.is_some() {
            let quota = cpu.quota.filter(|quota| *quota > 0).map_or("max".to_string(), |quota| quota.to_string());
            set("cpu.max", format!("{quota} {}", cpu.period.unwrap_or(100_000)));
        }
        if let Some(burst) = cpu.burst {
            set("cpu.max.burst", burst.to_string());
        }
        if let Some(shares) = cpu.shares.filter(|shares| *shares > 0) {
            // 2..262144 on the old scale is 1..10000 on the new one.
            set("cpu.weight", (1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142).to_string());
        }
        if let Some(idle) = cpu.idle {
            set("cpu.idle", idle.to_string());
        }
        if let Some(cpus) = cpu.cpus.as_ref().filter(|cpus| !cpus.is_empty()) {
            set("cpuset.cpus", cpus.clone());
        }
        if let Some(mems) = cpu.mems.as_ref().filter(|mems| !mems.is_empty()) {
            set("cpuset.mems", mems.clone());
        }
    }
    if let Some(value) = resources.pids.as_ref().and_then(|pids| pids.limit).filter(|value| *value != 0) {
        set("pids.max", limit(value));
    }
    for (file, value) in &resources.unified {
        set(file, value.clone());
    }
    out
}

/// True if the kernel killed a process of this cgroup for want of memory.
pub fn was_oom_killed(path: &Path) -> bool {
    let events = fs::read_to_string(path.join("memory.events")).unwrap_or_default();
    events.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
}

/// Kills whatever is left in the cgroup and removes it.
pub fn remove(path: &Path) {
    let _ = fs::write(path.join("cgroup.kill"), "1");
    for _ in 0..100 {
        match fs::remove_dir(path) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            _ => return,
        }
    }
}

/// Stops or continues all processes of a cgroup.
pub fn freeze(path: &Path, frozen: bool) -> Step<()> {
    let file = path.join("cgroup.freeze");
    fs::write(&file, if frozen { "1" } else { "0" }).during("cgroup", file.display())
}

/// New limits for a running container (`update`).
pub fn update(path: &Path, resources: &Resources) -> Step<()> {
    for (file, value) in values(resources) {
        let file = path.join(file);
        fs::write(&file, value).during("cgroup", file.display())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_become_interface_files() {
        let json = r#"{"memory":{"limit":1000,"swap":1500},"cpu":{"quota":150000,"period":100000,"shares":1024},"pids":{"limit":-1}}"#;
        let resources: Resources = serde_json::from_str(json).unwrap();
        let wanted = [
            ("memory.max", "1000"),
            ("memory.swap.max", "500"),
            ("cpu.max", "150000 100000"),
            ("cpu.weight", "39"),
            ("pids.max", "max"),
        ];
        let wanted: Vec<_> = wanted.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        assert_eq!(values(&resources), wanted);
    }

    #[test]
    fn what_engines_always_send_is_no_limit() {
        let json = r#"{"devices":[{"allow":false,"access":"rwm"}],"memory":{},"pids":{"limit":0}}"#;
        assert!(values(&serde_json::from_str(json).unwrap()).is_empty());
    }
}
