//! `linux.intelRdt` (config-linux.md "IntelRdt"): a class of cache and memory bandwidth in resctrl, for whoever may write there.

use crate::failure::{During, Failure, Step};
use rootless_core::oci::runtime::IntelRdt;
use rustix::io::Errno;
use std::fs;
use std::path::{Path, PathBuf};

const MOUNT: &str = "/sys/fs/resctrl";
const MAGIC: rustix::fs::FsWord = 0x0765_5821;
const STEP: &str = "config";
const FIELD: &str = "$.linux.intelRdt";

/// Said before anything is made.
pub fn check(wanted: Option<&IntelRdt>) -> Step<()> {
    match wanted {
        Some(_) if !rustix::fs::statfs(MOUNT).is_ok_and(|fs| fs.f_type == MAGIC) => {
            let why = format!("no resctrl filesystem is mounted at {MOUNT}, where the host's root gives these out");
            Err(Failure::because(STEP, why).on(FIELD))
        }
        _ => Ok(()),
    }
}

/// Puts the process into its class. `made` are folders to be removed with the container, the last first.
pub fn enter(wanted: Option<&IntelRdt>, id: &str, pid: i32, made: &mut Vec<PathBuf>) -> Step<()> {
    wanted.map_or(Ok(()), |wanted| enter_at(Path::new(MOUNT), wanted, id, pid, made))
}

pub fn leave(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

fn enter_at(mount: &Path, wanted: &IntelRdt, id: &str, pid: i32, made: &mut Vec<PathBuf>) -> Step<()> {
    let lines: Vec<&str> = [&wanted.l3_cache_schema, &wanted.mem_bw_schema]
        .into_iter()
        .flatten()
        .chain(&wanted.schemata)
        .map(String::as_str)
        .filter(|line| !line.is_empty())
        .collect();
    let class = match wanted.clos_id.as_deref() {
        None | Some("") => {
            // The container's own: one that is there already is somebody else's.
            let class = mount.join(id);
            fs::create_dir(&class).during(STEP, class.display())?;
            made.push(class.clone());
            class
        }
        Some("/") => mount.to_path_buf(),
        Some(name) => {
            let class = mount.join(name);
            match class.is_dir() {
                true => compare(&class, wanted)?,
                false if lines.is_empty() => {
                    return Err(Failure::because(STEP, "there is no such class")
                        .errno(Errno::NOENT)
                        .on(class.display()))
                }
                // Others may come to be in it: it stays.
                false => fs::create_dir(&class).during(STEP, class.display())?,
            }
            class
        }
    };
    if !lines.is_empty() {
        let file = class.join("schemata");
        fs::write(&file, lines.join("\n") + "\n").during(STEP, file.display())?;
    }
    let tasks = class.join("tasks");
    fs::write(&tasks, pid.to_string()).during(STEP, tasks.display())?;
    if wanted.enable_monitoring {
        let group = class.join("mon_groups").join(id);
        fs::create_dir(&group).during(STEP, group.display())?;
        made.push(group.clone());
        let tasks = group.join("tasks");
        fs::write(&tasks, pid.to_string()).during(STEP, tasks.display())?;
    }
    Ok(())
}

/// A class that others may use is not changed by a configuration that wants another one.
fn compare(class: &Path, wanted: &IntelRdt) -> Step<()> {
    let file = class.join("schemata");
    let text = fs::read_to_string(&file).during(STEP, file.display())?;
    for asked in [&wanted.l3_cache_schema, &wanted.mem_bw_schema].into_iter().flatten() {
        for line in asked.lines().filter_map(|line| line.split_once(':')) {
            let there =
                text.lines().filter_map(|line| line.split_once(':')).find(|there| there.0.trim() == line.0.trim());
            if there.is_some_and(|there| !is_same(there.1, line.1)) {
                let why = format!("the class has another {}", line.0.trim());
                return Err(Failure::because(STEP, why).on(file.display()));
            }
        }
    }
    Ok(())
}

/// The same value for each number that is asked for; the kernel may write numbers with zeros in front.
fn is_same(there: &str, asked: &str) -> bool {
    let pairs = |text: &str| -> Vec<(String, String)> {
        let plain = |text: &str| text.trim().trim_start_matches('0').to_ascii_lowercase();
        text.split(';').filter_map(|pair| pair.split_once('=')).map(|(id, value)| (plain(id), plain(value))).collect()
    };
    let there = pairs(there);
    pairs(asked).iter().all(|pair| there.contains(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would make in a new group.
    fn mount(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("resctrl-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("class/mon_groups")).unwrap();
        fs::write(folder.join("class/schemata"), "    MB:0=100;1=100\n    L3:0=07f0;1=1f\n").unwrap();
        folder
    }

    fn wish(clos: Option<&str>) -> IntelRdt {
        IntelRdt { clos_id: clos.map(str::to_string), ..IntelRdt::default() }
    }

    #[test]
    fn a_class_of_its_own_goes_with_the_container_and_a_named_one_stays() {
        let folder = mount("own");
        let mut made = Vec::new();
        enter_at(&folder, &wish(None), "c1", 7, &mut made).unwrap();
        assert_eq!(fs::read_to_string(folder.join("c1/tasks")).unwrap(), "7");
        assert!(!folder.join("c1/schemata").exists());
        assert_eq!(made, [folder.join("c1")]);
        assert!(enter_at(&folder, &wish(None), "c1", 7, &mut Vec::new()).is_err(), "another one's");
        let mut made = Vec::new();
        enter_at(&folder, &wish(Some("class")), "c2", 8, &mut made).unwrap();
        assert_eq!(fs::read_to_string(folder.join("class/tasks")).unwrap(), "8");
        assert!(made.is_empty());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_class_that_does_not_exist_needs_values_and_they_are_written_in_order() {
        let folder = mount("new");
        let mut made = Vec::new();
        assert!(enter_at(&folder, &wish(Some("none")), "c", 1, &mut made).is_err());
        assert!(!folder.join("none").exists());
        let wanted = IntelRdt {
            l3_cache_schema: Some("L3:0=f".into()),
            mem_bw_schema: Some("MB:0=20".into()),
            schemata: vec!["L2:0=f".into()],
            ..wish(Some("new"))
        };
        enter_at(&folder, &wanted, "c", 1, &mut made).unwrap();
        assert_eq!(fs::read_to_string(folder.join("new/schemata")).unwrap(), "L3:0=f\nMB:0=20\nL2:0=f\n");
        assert!(made.is_empty());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_class_with_other_values_is_refused() {
        let folder = mount("other");
        let with = |l3: &str| IntelRdt { l3_cache_schema: Some(l3.into()), ..wish(Some("class")) };
        assert!(enter_at(&folder, &with("L3:0=7f0;1=1F"), "c", 1, &mut Vec::new()).is_ok());
        fs::write(folder.join("class/schemata"), "    L3:0=07f0;1=1f\n").unwrap();
        let failure = enter_at(&folder, &with("L3:0=ff"), "c", 1, &mut Vec::new()).unwrap_err();
        assert!(failure.message.unwrap().contains("another L3"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn monitoring_has_a_group_below_the_class() {
        let folder = mount("monitored");
        let mut made = Vec::new();
        enter_at(&folder, &IntelRdt { enable_monitoring: true, ..wish(Some("class")) }, "c", 9, &mut made).unwrap();
        assert_eq!(fs::read_to_string(folder.join("class/mon_groups/c/tasks")).unwrap(), "9");
        assert_eq!(made, [folder.join("class/mon_groups/c")]);
        fs::remove_dir_all(folder).unwrap();
    }
}
