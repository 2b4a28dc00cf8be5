//! `ROOT/ID/state.json`: what is known of a container between two calls of the helper.

use crate::atomic;
use crate::failure::{During, Failure, Step};
use crate::plan::Plan;
use crate::procfs;
use rootless_core::oci::state::State;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What the helper remembers; `state` prints the standard's part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    pub oci_version: String,
    pub id: String,
    pub bundle: PathBuf,
    pub pid: i32,
    /// Field 22 of /proc/PID/stat: with the pid it names one process of this boot.
    pub start_time: u64,
    /// RFC 3339.
    pub created: String,
    pub annotations: BTreeMap<String, String>,
    pub rootfs: PathBuf,
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// Between clone and the end of `create`.
    #[serde(default)]
    pub creating: bool,
    /// The unit of systemd that is the container's alone.
    #[serde(default)]
    pub scope: Option<String>,
    /// Folders of resctrl that go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resctrl: Vec<PathBuf>,
    /// What 0, 1 and 2 of the caller are, a list written as text: under the name that runc and crun have for it.
    #[serde(default, rename = "external_descriptors")]
    pub external_descriptors: String,
}

impl Saved {
    pub fn new(plan: &Plan, pid: i32) -> Step<Saved> {
        let start_time = start_time(pid)?.ok_or_else(|| Failure::because("state", "the process is gone").on(pid))?;
        Ok(Saved { pid, start_time, creating: false, ..Saved::planned(plan, None) })
    }

    /// Before its cgroup is made and a process born: whoever ends the launch in between leaves a name for what there is.
    pub fn planned(plan: &Plan, cgroup: Option<PathBuf>) -> Saved {
        Saved {
            oci_version: plan.spec.oci_version.clone(),
            id: plan.id.clone(),
            bundle: plan.bundle.clone(),
            pid: 0,
            start_time: 0,
            created: now(),
            annotations: plan.spec.annotations.clone(),
            rootfs: plan.rootfs.clone(),
            cgroup,
            scope: None,
            resctrl: Vec::new(),
            external_descriptors: descriptors(),
            creating: true,
        }
    }

    pub fn write(&self, root: &Path) -> Step<()> {
        let name = if self.creating { HALF_MADE } else { "state.json" };
        let file = folder(root, &self.id).join(name);
        let text = serde_json::to_vec(self).map_err(|error| Failure::because("state", error.to_string()))?;
        atomic::write(&file, &text).during("state", file.display())?;
        if !self.creating {
            // Where those who know crun look for it; that it is there already is no reason to fail.
            let _ = rustix::fs::symlink("state.json", folder(root, &self.id).join("status"));
        }
        Ok(())
    }

    pub fn read(root: &Path, id: &str) -> Step<Saved> {
        crate::plan::check_id(id)?;
        let file = folder(root, id).join("state.json");
        let text = match fs::read(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Failure::because("state", "container does not exist").on(id))
            }
            other => other.during("state", file.display())?,
        };
        serde_json::from_slice(&text).map_err(|error| Failure::because("state", error.to_string()).on(file.display()))
    }

    /// What an interrupted `create` has left; there is no container yet then, and only `delete --force` asks.
    pub fn read_half_made(root: &Path, id: &str) -> Step<Option<Saved>> {
        crate::plan::check_id(id)?;
        let file = folder(root, id).join(HALF_MADE);
        match fs::read(&file).during("state", file.display()) {
            Err(failure) if !is_damage(&failure) => Err(failure),
            text => Ok(text.ok().and_then(|text| serde_json::from_slice(&text).ok())),
        }
    }

    /// created, running, paused or stopped.
    pub fn status(&self, root: &Path) -> Step<&'static str> {
        if !self.is_alive()? {
            return Ok("stopped");
        }
        if gate(root, &self.id).exists() {
            return Ok("created");
        }
        if self.cgroup.as_deref().is_some_and(crate::cgroup::is_frozen) || halted(root, &self.id).exists() {
            return Ok("paused");
        }
        Ok("running")
    }

    pub fn is_alive(&self) -> Step<bool> {
        Ok(start_time(self.pid)? == Some(self.start_time))
    }

    /// The process, proven to be the one that was started: the pidfd is opened first, then the start time is compared. Only of one that
    /// is gone there is none: who cannot look does not know that.
    pub fn process(&self) -> Step<Option<OwnedFd>> {
        let pidfd = match crate::sys::process::open_pidfd(self.pid) {
            Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => return Ok(None),
            other => other.during("state", self.pid)?,
        };
        Ok(self.is_alive()?.then_some(pidfd))
    }

    pub fn open(&self) -> Step<OwnedFd> {
        self.process()?.ok_or_else(|| Failure::because("state", "container not running").on(&self.id))
    }

    /// The configuration that it was made from. The standard: changes of the bundle after `create` have no effect.
    pub fn plan(&self, root: &Path) -> Step<Plan> {
        let kept = folder(root, &self.id).join(KEPT_CONFIG);
        let file = if kept.is_file() { kept } else { self.bundle.join("config.json") };
        Plan::read_file(&self.id, &self.bundle, &file).map(|(plan, _)| plan)
    }

    /// The standard's document (runtime.md "State").
    pub fn standard(&self, root: &Path) -> Step<State> {
        let status = self.status(root)?;
        Ok(State {
            oci_version: self.oci_version.clone(),
            id: self.id.clone(),
            status: status.to_string(),
            pid: Some(if status == "stopped" { 0 } else { self.pid }),
            bundle: self.bundle.display().to_string(),
            annotations: self.annotations.clone(),
        })
    }
}

fn descriptors() -> String {
    let link = |number: i32| fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_default();
    serde_json::json!([link(0), link(1), link(2)]).to_string()
}

/// The document for hooks of a container that has no saved state yet.
pub fn standard(plan: &Plan, status: &str, pid: Option<i32>) -> State {
    State {
        oci_version: plan.spec.oci_version.clone(),
        id: plan.id.clone(),
        status: status.to_string(),
        pid,
        bundle: plan.bundle.display().to_string(),
        annotations: plan.spec.annotations.clone(),
    }
}

/// Claims an id: a second container of the same name is refused.
pub fn claim(root: &Path, id: &str) -> Step<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(root).during("state", root.display())?;
    let folder = folder(root, id);
    match fs::DirBuilder::new().mode(0o711).create(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::because("state", "container exists already").on(id))
        }
        other => other.during("state", folder.display()),
    }
}

const HALF_MADE: &str = "creating.json";
const KEPT_CONFIG: &str = "config.json";

/// For `start`, `exec` and `delete`.
pub fn keep_config(root: &Path, id: &str, text: &str) -> Step<()> {
    let file = folder(root, id).join(KEPT_CONFIG);
    fs::write(&file, text).during("state", file.display())
}

pub fn folder(root: &Path, id: &str) -> PathBuf {
    root.join(id)
}

/// The socket on which a created container waits.
pub fn gate(root: &Path, id: &str) -> PathBuf {
    folder(root, id).join("start")
}

/// The processes that `pause` has stopped one by one.
pub fn halted(root: &Path, id: &str) -> PathBuf {
    folder(root, id).join("halted")
}

/// Forgets a container.
pub fn forget(root: &Path, id: &str) -> Step<()> {
    let folder = folder(root, id);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).during("state", folder.display()),
        _ => Ok(()),
    }
}

/// True if what a state is read from is none; of another error the next call may know nothing, and nothing may be thrown away for it.
pub fn is_damage(failure: &Failure) -> bool {
    const NAMES: [Errno; 5] = [Errno::NOENT, Errno::ISDIR, Errno::LOOP, Errno::NOTDIR, Errno::NAMETOOLONG];
    failure.errno.is_none_or(|errno| NAMES.iter().any(|name| name.raw_os_error() == errno))
}

/// Field 22 of /proc/PID/stat (clock ticks after boot); `None` if there is no such process, or only its corpse.
pub fn start_time(pid: i32) -> Step<Option<u64>> {
    Ok(birth(pid)?.filter(|(_, is_corpse)| !is_corpse).map(|(time, _)| time))
}

/// The same of a process that may have ended and was not waited for: that is the second answer.
pub fn birth(pid: i32) -> Step<Option<(u64, bool)>> {
    match procfs::text(pid, "stat") {
        Err(error) if [Some(libc::ENOENT), Some(libc::ESRCH)].contains(&error.raw_os_error()) => Ok(None),
        text => Ok(fields(&text.during("state", format!("/proc/{pid}/stat"))?)),
    }
}

fn fields(stat: &str) -> Option<(u64, bool)> {
    // The name in parentheses may contain anything, parentheses too.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let is_corpse = matches!(fields.next()?, "Z" | "X");
    Some((fields.nth(18)?.parse().ok()?, is_corpse))
}

/// By SIGSTOP or a debugger: it does nothing until it is let go on.
pub fn is_stopped(pid: i32) -> bool {
    let stat = procfs::text(pid, "stat").unwrap_or_default();
    stat.rfind(')').is_some_and(|end| matches!(stat[end + 1..].trim_start().as_bytes().first(), Some(b'T' | b't')))
}

/// The time now, RFC 3339 in UTC with nanoseconds.
pub fn now() -> String {
    String::from_utf8_lossy(&crate::clock::format(crate::clock::since_epoch())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_time() {
        let me = std::process::id() as i32;
        assert!(start_time(me).unwrap().is_some_and(|time| time > 0));
        assert_eq!(start_time(i32::MAX - 1), Ok(None));
    }

    #[test]
    fn an_id_is_claimed_once() {
        let root = std::env::temp_dir().join(format!("claim-{}", std::process::id()));
        claim(&root, "a").unwrap();
        assert!(claim(&root, "a").is_err());
        forget(&root, "a").unwrap();
        claim(&root, "a").unwrap();
        fs::remove_dir_all(root).unwrap();
    }
}
