//! Limits of a folder: written, changed, and what became of them.

use super::writes;
use crate::failure::{During, Failure, Step};
use rootless_core::lower::resources::{Value, Write};
use rootless_core::oci::resources::Resources;
use std::fs;
use std::path::Path;

/// New limits for a running container (`update`).
pub fn update(folder: &Path, resources: &Resources) -> Step<()> {
    let memory = resources.memory.clone().unwrap_or_default();
    if memory.check_before_update == Some(true) {
        let used: i64 = first_word(&folder.join("memory.current")).parse().unwrap_or(0);
        let limits = [("memory.swap", "memory+swap", memory.swap), ("memory.limit", "memory", memory.limit)];
        for (field, name, limit) in limits.into_iter().filter_map(|(field, name, limit)| Some((field, name, limit?))) {
            if limit > 0 && used > limit {
                let message = format!("rejecting {name} limit {limit}: {used} bytes are in use");
                return Err(Failure::because("cgroup", message).on(field));
            }
        }
    }
    apply(folder, &writes(Some(resources))?)
}

pub fn apply(folder: &Path, writes: &[Write]) -> Step<()> {
    let mut later = None;
    for write in writes {
        match set(folder, write) {
            // A burst may not be above the quota, which comes after it where both are changed.
            Err(failure) if failure.errno == Some(libc::EINVAL) && write.file == "cpu.max.burst" => later = Some(write),
            other => other?,
        }
    }
    later.map_or(Ok(()), |write| set(folder, write))
}

fn set(folder: &Path, write: &Write) -> Step<()> {
    let mut file = folder.join(&write.file);
    let mut text = match &write.value {
        Value::Text(text) => text.clone(),
        Value::Period(period) => format!("{} {period}", first_word(&file)),
        Value::SwapBeside(total) => {
            let limit: i64 = first_word(&folder.join("memory.max")).parse().map_err(|_| {
                Failure::because("cgroup", "a limit of memory and swap needs one of memory").on("memory.swap")
            })?;
            (total - limit).max(0).to_string()
        }
    };
    if !file.exists() {
        if write.is_optional {
            return Ok(());
        }
        if let Some((other, value)) = &write.otherwise {
            (file, text) = (folder.join(other), value.clone());
        }
        if !file.exists() {
            return Err(missing(folder, write).on(file.display()));
        }
    }
    // One line at a time: files with keys take no more.
    for line in text.lines() {
        match fs::write(&file, line) {
            Err(error) if write.is_optional && error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            other => other.during("cgroup", file.display())?,
        }
    }
    Ok(())
}

/// Either the controller was not handed down, or this kernel does not have the file.
fn missing(folder: &Path, write: &Write) -> Failure {
    let controllers = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    match write.controller().filter(|name| !controllers.split_ascii_whitespace().any(|there| there == *name)) {
        Some(name) => Failure::because("cgroup", format!("not delegated: {name}")),
        None => Failure::because("cgroup", "this kernel has no such limit").errno(libc::ENOENT),
    }
}

fn first_word(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default().split_ascii_whitespace().next().unwrap_or_default().to_string()
}

/// True if the kernel killed a process of this cgroup for want of memory.
pub fn was_oom_killed(folder: &Path) -> bool {
    super::stats::keyed(folder, "memory.events", "oom_kill").is_some_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of plain files stands for the kernel's.
    fn with_files(name: &str, files: &[(&str, &str)], test: impl FnOnce(&Path)) {
        let folder = std::env::temp_dir().join(format!("limits-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, text)| fs::write(folder.join(file), text).unwrap());
        test(&folder);
        fs::remove_dir_all(folder).unwrap();
    }

    fn resources(json: &str) -> Resources {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn parts_of_a_limit_take_the_rest_from_the_kernel() {
        let files = [("cpu.max", "50000 100000\n"), ("memory.max", "1000\n"), ("memory.swap.max", "max\n")];
        with_files("parts", &files, |folder| {
            update(folder, &resources(r#"{"cpu":{"period":20000},"memory":{"swap":1500}}"#)).unwrap();
            assert_eq!(fs::read_to_string(folder.join("cpu.max")).unwrap(), "50000 20000");
            assert_eq!(fs::read_to_string(folder.join("memory.swap.max")).unwrap(), "500");
        });
    }

    #[test]
    fn a_controller_that_was_not_handed_down_is_named() {
        with_files("missing", &[("cgroup.controllers", "memory pids\n")], |folder| {
            let failure = update(folder, &resources(r#"{"cpu":{"shares":512}}"#)).unwrap_err();
            assert_eq!(failure.message.as_deref(), Some("not delegated: cpu"));
            let failure = update(folder, &resources(r#"{"unified":{"memory.tea":"1"}}"#)).unwrap_err();
            assert_eq!(failure.message.as_deref(), Some("this kernel has no such limit"));
        });
    }

    #[test]
    fn swap_beside_no_limit_is_refused() {
        with_files("swap", &[("memory.max", "max\n"), ("memory.swap.max", "max\n")], |folder| {
            assert!(update(folder, &resources(r#"{"memory":{"swap":1500}}"#)).is_err());
        });
    }

    #[test]
    fn a_limit_below_what_is_used_is_refused_if_that_was_asked() {
        with_files("check", &[("memory.current", "5000\n"), ("memory.max", "max\n")], |folder| {
            assert!(update(folder, &resources(r#"{"memory":{"limit":100,"checkBeforeUpdate":true}}"#)).is_err());
            update(folder, &resources(r#"{"memory":{"limit":100}}"#)).unwrap();
        });
    }

    #[test]
    fn weights_go_where_this_kernel_has_them() {
        with_files("weight", &[("io.weight", "")], |folder| {
            update(folder, &resources(r#"{"blockIO":{"weight":1000}}"#)).unwrap();
            assert_eq!(fs::read_to_string(folder.join("io.weight")).unwrap(), "10000");
        });
    }
}
