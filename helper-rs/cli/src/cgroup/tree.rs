//! The tree of cgroups: where we are, what may be divided, and how (cgroups(7), "Delegation" and "no internal processes").

use super::{is_frozen, MOUNT};
use crate::failure::{During, Failure, Step};
use crate::userns::{self, IdMap};
use rootless_core::lower::resources::Write;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where processes go that stand in the way of their own cgroup's controllers; the command line knows it too.
const BESIDE: &str = "rootless-self";

/// The folder that `cgroupsPath` means: absolute ones begin at the root of the tree, others beside the cgroup that we are in. None at
/// all is one named by the id where limits need it, else `None`: the container stays with its caller.
pub fn folder_of(path: &str, id: &str, is_limited: bool) -> Step<Option<PathBuf>> {
    if path.split('/').any(|part| part == "..") {
        return Err(Failure::because("cgroup", "\"..\" in cgroupsPath").on(path));
    }
    if path.contains(':') && !path.contains('/') {
        return Err(Failure::because("cgroup", "SLICE:PREFIX:NAME is for --systemd-cgroup").on(path));
    }
    let beside =
        || own().map(|own| own.parent().filter(|parent| parent.starts_with(MOUNT)).unwrap_or(&own).to_path_buf());
    match path.strip_prefix('/') {
        Some(absolute) => Ok(Some(Path::new(MOUNT).join(absolute))),
        None if path.is_empty() && !is_limited => Ok(None),
        None => beside().map(|folder| Some(folder.join(if path.is_empty() { id } else { path }))),
    }
}

/// The folder of our own cgroup.
pub fn own() -> Step<PathBuf> {
    of("self").ok_or_else(|| Failure::because("cgroup", "no own cgroup is to be seen").on("/proc/self/cgroup"))
}

/// The folder of a process's cgroup; none where it is not below what is mounted here.
fn of(pid: &str) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    (!path.split('/').any(|part| part == "..")).then(|| Path::new(MOUNT).join(path))
}

/// Where in a container's cgroup a new process can be: in itself, unless an init like systemd divides it. New processes can only be in
/// leaves then, and the init is in one.
pub fn for_new(init: i32, group: &Path) -> PathBuf {
    match words(&group.join("cgroup.subtree_control")).is_empty() {
        true => group.to_path_buf(),
        false => of_process(init, group),
    }
}

/// Where in a cgroup one of its processes is.
pub fn of_process(pid: i32, group: &Path) -> PathBuf {
    of(&pid.to_string()).filter(|path| path.starts_with(group)).unwrap_or_else(|| group.to_path_buf())
}

/// The kernel moves a process only for somebody who may write to the processes of the nearest cgroup above both places.
pub fn may_move(to: &Path) -> Step<()> {
    let own = own()?;
    let shared: PathBuf = own.components().zip(to.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    for file in [shared.join("cgroup.procs"), to.join("cgroup.procs")] {
        rustix::fs::accessat(rustix::fs::CWD, &file, rustix::fs::Access::WRITE_OK, rustix::fs::AtFlags::EACCESS)
            .map_err(|errno| {
                let message = format!("no process may be moved there from {}", own.display());
                Failure::because("cgroup", message).on(file.display()).errno(errno)
            })?;
    }
    Ok(())
}

/// A cgroup becomes the container's, whole: at its end everything in it is killed. So it is none that has processes, and none that we
/// are in ourselves. True if it has to be made.
pub fn claim(folder: &Path) -> Step<bool> {
    let refuse = |reason: &str| Err(Failure::because("cgroup", reason).on(folder.display()));
    if own().is_ok_and(|own| own.starts_with(folder)) || folder == Path::new(MOUNT) {
        return refuse("the caller is in it, so it cannot be the container's");
    }
    // Nobody born in it would ever get to its program; runc refuses it too.
    if let Some(frozen) = folder.ancestors().take_while(|path| path.starts_with(MOUNT)).find(|path| is_frozen(path)) {
        return Err(Failure::because("cgroup", "container's cgroup unexpectedly frozen: so would be the container")
            .on(frozen.display()));
    }
    match folder.exists() {
        true if is_populated(folder) => refuse("container's cgroup is not empty: there are processes in it already"),
        exists => Ok(!exists),
    }
}

/// Makes a folder in which the files of `writes` are, with all other controllers that can be had for nothing.
pub fn make(folder: &Path, writes: &[Write]) -> Step<()> {
    let needed: BTreeSet<&str> = writes.iter().filter_map(Write::controller).collect();
    fs::create_dir_all(folder).during("cgroup", folder.display())?;
    // From the root on: what a folder was not given it cannot give.
    let mut above: Vec<&Path> = folder.ancestors().skip(1).take_while(|path| path.starts_with(MOUNT)).collect();
    above.reverse();
    for parent in above {
        hand_down(parent, &needed)?;
    }
    let there = words(&folder.join("cgroup.controllers"));
    let missing: Vec<&str> = needed.into_iter().filter(|name| !there.contains(*name)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::because("cgroup", format!("not delegated: {}", missing.join(" "))).on(folder.display())),
    }
}

/// Switches controllers on for the folders below. What is not ours to change is passed over: the end is what counts.
pub fn hand_down(folder: &Path, needed: &BTreeSet<&str>) -> Step<()> {
    let file = folder.join("cgroup.subtree_control");
    let (available, given) = (words(&folder.join("cgroup.controllers")), words(&file));
    let missing: Vec<&String> = available.difference(&given).collect();
    // While processes are in it the kernel refuses some controllers; with the others it makes the folder a root of threads, below
    // which no container can be. Ours may be moved out of the way, if something was asked for; strangers may not.
    if folder != Path::new(MOUNT) && !words(&folder.join("cgroup.procs")).is_empty() {
        if own()? != folder || !missing.iter().any(|name| needed.contains(name.as_str())) {
            return Ok(());
        }
        evacuate(folder)?;
    }
    for name in missing {
        let _ = fs::write(&file, format!("+{name}"));
    }
    Ok(())
}

/// Moves all processes of a folder into a leaf of it, until no new one was born meanwhile.
fn evacuate(folder: &Path) -> Step<()> {
    const ROUNDS: usize = 100;
    let leaf = folder.join(BESIDE);
    fs::create_dir_all(&leaf).during("cgroup", leaf.display())?;
    let file = leaf.join("cgroup.procs");
    for _ in 0..ROUNDS {
        let pids = words(&folder.join("cgroup.procs"));
        if pids.is_empty() {
            return Ok(());
        }
        for pid in pids {
            match fs::write(&file, &pid) {
                // It has ended.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                other => other.during("cgroup", file.display())?,
            }
        }
    }
    Err(Failure::because("cgroup", "processes appear faster than they can be moved").on(folder.display()))
}

/// What the container's root has to own to divide its cgroup (cgroups(7), "Delegation"). The limits stay the caller's.
pub fn give(folder: &Path, map: &IdMap) -> Step<()> {
    let usual = "cgroup.procs\ncgroup.threads\ncgroup.subtree_control";
    let list = fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap_or_else(|_| usual.into());
    let files: Vec<PathBuf> = list.lines().map(|name| folder.join(name)).filter(|file| file.exists()).collect();
    let all: Vec<&Path> = std::iter::once(folder).chain(files.iter().map(PathBuf::as_path)).collect();
    userns::give(map, &all)
}

pub fn is_populated(folder: &Path) -> bool {
    let events = fs::read_to_string(folder.join("cgroup.events")).unwrap_or_default();
    events.lines().any(|line| line == "populated 1")
}

fn words(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_or_beside_us_and_never_above() {
        let of = |path: &str| folder_of(path, "id", false);
        assert_eq!(of("/a/b").unwrap(), Some(PathBuf::from("/sys/fs/cgroup/a/b")));
        assert_eq!(of("").unwrap(), None);
        assert!(of("/a/../b").is_err());
        assert!(of("a.slice:b:c").is_err());
    }

    #[test]
    fn what_the_caller_is_in_is_not_taken() {
        assert!(claim(Path::new(MOUNT)).is_err());
        own().into_iter().flat_map(|own| own.ancestors().map(Path::to_path_buf).collect::<Vec<_>>()).for_each(
            |above| {
                assert!(!above.starts_with(MOUNT) || claim(&above).is_err(), "{above:?}");
            },
        );
    }

    #[test]
    fn what_is_elsewhere_is_not_a_process_of_the_group() {
        let group = Path::new("/sys/fs/cgroup/nobody/has/this");
        assert_eq!(of_process(std::process::id() as i32, group), group);
    }
}
