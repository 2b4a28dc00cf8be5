//! The `io.rootless.*` annotations, and those of crun: what the standard cannot say (docs/contract.md, "Annotations").

use super::networks::{self, Networks};
use crate::tar::base64;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An overlay to mount on `root.path`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// Relative paths start here.
    pub base: String,
    /// Top first.
    pub lower: Vec<String>,
    #[serde(default)]
    pub upper: Option<String>,
    #[serde(default)]
    pub work: Option<String>,
    /// Do not sync on unmount: the changes are thrown away.
    #[serde(default)]
    pub volatile: bool,
    /// Upper and work on a private tmpfs.
    #[serde(default)]
    pub tmpfs: bool,
    /// fuse-overlayfs.
    #[serde(default)]
    pub program: Option<String>,
}

/// Layers to merge into an empty `root.path`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    pub base: String,
    /// Top first.
    pub lower: Vec<String>,
}

/// How the root filesystem comes to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Rootfs {
    /// `root.path` as it is.
    #[default]
    Plain,
    /// `root.path` bound on itself, read-only.
    ReadOnlyBind,
    Overlay(Overlay),
    Copy(Copy),
}

/// What a mount of the standard cannot say, by its destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountExtra {
    /// Only this path below the source, resolved inside it.
    #[serde(default)]
    pub subpath: Option<String>,
    /// Everything in it is given to the user that the program runs as.
    #[serde(default)]
    pub chown: bool,
}

/// A Landlock domain for the program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landlock {
    /// What can be written, in the container; all of it where this is not said.
    #[serde(default)]
    pub write: Option<Vec<String>>,
}

/// All annotations of ours, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    pub rootfs: Rootfs,
    pub newuidmap: Option<String>,
    pub newgidmap: Option<String>,
    /// `USER[:GROUP]`.
    pub user: Option<String>,
    /// Names of supplementary groups.
    pub groups: Vec<String>,
    pub single_id: bool,
    /// The supplementary groups of the caller stay (crun's `run.oci.keep_original_groups`).
    pub keep_groups: bool,
    /// argv of the companion process.
    pub companion: Vec<String>,
    pub init: bool,
    /// Who watches over the container stays out of its scope.
    pub apart: bool,
    pub landlock: Option<Landlock>,
    pub mounts: BTreeMap<String, MountExtra>,
    pub networks: Option<Networks>,
    /// The container whose user and network namespaces are joined.
    pub join: Option<String>,
    /// Keys of `linux.sysctl` that stay as they are where /proc/sys is read-only; `kernel.hostname` is `hostname`, where a filter
    /// forbids that.
    pub optional_sysctls: Vec<String>,
    pub crun: Crun,
}

/// What crun reads (`run.oci.*`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crun {
    /// The socket of a seccomp agent, for a profile that names none.
    pub seccomp_receiver: Option<String>,
    /// A compiled filter in place of the profile.
    pub seccomp_data: Option<Vec<u8>>,
    pub fail_unknown_syscall: bool,
    /// Gets a pidfd of the container's process.
    pub pidfd_receiver: Option<String>,
    /// Which option of a new filesystem takes `linux.mountLabel`.
    pub mount_context: Option<String>,
}

/// Names or beginnings (with a dot at the end) of all annotations that change what is done: `features` lists them.
pub const NAMES: &[&str] = &[
    "io.rootless.",
    "run.oci.handler",
    "run.oci.hooks.stderr",
    "run.oci.hooks.stdout",
    "run.oci.keep_original_groups",
    "run.oci.mount_context_type",
    "run.oci.pidfd_receiver",
    "run.oci.seccomp.plugins",
    "run.oci.seccomp.receiver",
    "run.oci.seccomp_bpf_data",
    "run.oci.seccomp_fail_unknown_syscall",
    "run.oci.systemd.force_cgroup_v1",
];

/// Parses them; the `Err` is (annotation, reason). An unknown `io.rootless.` name is an error, never ignored.
pub fn parse(all: &BTreeMap<String, String>) -> Result<Annotations, (String, String)> {
    let mut out = Annotations::default();
    for (name, value) in all {
        if let Some(crun) = name.strip_prefix("run.oci.") {
            read_crun(crun, value, &mut out).map_err(|reason| (name.clone(), reason.to_string()))?;
        }
        let Some(ours) = name.strip_prefix("io.rootless.") else { continue };
        let wrong = |reason: &dyn ToString| (name.clone(), reason.to_string());
        match ours {
            "overlay" => out.rootfs = Rootfs::Overlay(object(value).map_err(|e| wrong(&e))?),
            "copy" => out.rootfs = Rootfs::Copy(object(value).map_err(|e| wrong(&e))?),
            "bind-root" => {
                if truth(value).map_err(|e| wrong(&e))? {
                    out.rootfs = Rootfs::ReadOnlyBind;
                }
            }
            "newuidmap" => out.newuidmap = Some(value.clone()),
            "newgidmap" => out.newgidmap = Some(value.clone()),
            "user" => out.user = Some(value.clone()),
            "groups" => out.groups = serde_json::from_str(value).map_err(|e| wrong(&e))?,
            "single-id" => out.single_id = truth(value).map_err(|e| wrong(&e))?,
            "companion" => out.companion = serde_json::from_str(value).map_err(|e| wrong(&e))?,
            "mounts" => out.mounts = serde_json::from_str(value).map_err(|e| wrong(&e))?,
            "optional-sysctls" => out.optional_sysctls = serde_json::from_str(value).map_err(|e| wrong(&e))?,
            "landlock" => out.landlock = Some(landlock(value).map_err(|e| wrong(&e))?),
            "cgroup-apart" => out.apart = truth(value).map_err(|e| wrong(&e))?,
            "init" => out.init = truth(value).map_err(|e| wrong(&e))?,
            "networks" => out.networks = Some(networks::parse(value).map_err(|e| wrong(&e))?),
            "join" => out.join = Some(value.clone()),
            _ => return Err(wrong(&"unknown annotation")),
        }
    }
    Ok(out)
}

/// Those that nothing here knows are passed over, as crun does, unless the container would be another one without.
fn read_crun(name: &str, value: &str, out: &mut Annotations) -> Result<(), &'static str> {
    let absolute =
        || if value.starts_with('/') { Ok(Some(value.to_string())) } else { Err("the path is not absolute") };
    match name {
        "keep_original_groups" => out.keep_groups = true,
        "seccomp_fail_unknown_syscall" => out.crun.fail_unknown_syscall = value == "1",
        "seccomp.receiver" => out.crun.seccomp_receiver = absolute()?,
        "pidfd_receiver" => out.crun.pidfd_receiver = absolute()?,
        "hooks.stdout" | "hooks.stderr" => drop(absolute()?),
        "seccomp_bpf_data" => {
            let data = base64(value.as_bytes()).ok_or("the value is not base64")?;
            if data.is_empty() || data.len() % 8 != 0 || data.len() / 8 > 4096 {
                return Err("it is no filter: 1 to 4096 instructions of 8 bytes");
            }
            out.crun.seccomp_data = Some(data);
        }
        "mount_context_type" => match value {
            "context" | "fscontext" | "defcontext" | "rootcontext" => out.crun.mount_context = Some(value.into()),
            _ => return Err("neither context, fscontext, defcontext nor rootcontext"),
        },
        "handler" if !value.is_empty() => return Err("there is no other handler than the kernel"),
        "seccomp.plugins" if !value.is_empty() => return Err("libraries of a seccomp agent are not loaded"),
        "systemd.force_cgroup_v1" => return Err("cgroup v1 cannot be given to a container"),
        _ => {}
    }
    Ok(())
}

/// A list would be read as the fields in their order.
fn object<T: for<'de> Deserialize<'de>>(value: &str) -> Result<T, String> {
    match value.trim_start().starts_with('{') {
        true => serde_json::from_str(value).map_err(|error| error.to_string()),
        false => Err("it is no JSON object".into()),
    }
}

fn landlock(value: &str) -> Result<Landlock, String> {
    let wall: Landlock = object(value)?;
    match wall.write.iter().flatten().find(|path| !path.starts_with('/') || path.contains('\0')) {
        Some(path) => Err(format!("{path:?} is no absolute path")),
        None => Ok(wall),
    }
}

fn truth(value: &str) -> Result<bool, &'static str> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("neither \"true\" nor \"false\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<Annotations, (String, String)> {
        parse(&BTreeMap::from([(name.to_string(), value.to_string())]))
    }

    #[test]
    fn an_overlay_is_read_whole_and_unknown_fields_are_refused() {
        let got = one("io.rootless.overlay", r#"{"base":"/b","lower":["l2","l1"],"upper":"u","work":"w"}"#).unwrap();
        let Rootfs::Overlay(overlay) = got.rootfs else { panic!("no overlay") };
        assert_eq!(overlay.lower, ["l2", "l1"]);
        assert!(one("io.rootless.overlay", r#"{"base":"/b","lower":[],"uper":"u"}"#).is_err());
    }

    #[test]
    fn those_of_crun_work_or_are_refused() {
        assert!(one("run.oci.keep_original_groups", "1").unwrap().keep_groups);
        assert_eq!(one("run.oci.seccomp.receiver", "/s").unwrap().crun.seccomp_receiver.as_deref(), Some("/s"));
        assert!(one("run.oci.pidfd_receiver", "s").is_err());
        let filter = one("run.oci.seccomp_bpf_data", "BgAAAAAA/38=").unwrap().crun.seccomp_data.unwrap();
        assert_eq!(filter, [6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
        for (name, value) in [
            ("seccomp_bpf_data", "BgAA"),
            ("seccomp_bpf_data", "?"),
            ("handler", "krun"),
            ("seccomp.plugins", "libx.so"),
            ("mount_context_type", "other"),
            ("systemd.force_cgroup_v1", "/sys/fs/cgroup/systemd"),
        ] {
            let full = format!("run.oci.{name}");
            assert_eq!(one(&full, value).unwrap_err().0, full);
            assert!(NAMES.contains(&full.as_str()), "{full}");
        }
        assert_eq!(one("run.oci.systemd.subgroup", "x").unwrap(), Annotations::default());
    }

    #[test]
    fn foreign_annotations_pass_and_unknown_ones_of_ours_do_not() {
        assert_eq!(one("org.example", "x").unwrap(), Annotations::default());
        assert_eq!(one("io.rootless.overly", "x").unwrap_err().0, "io.rootless.overly");
        assert!(one("io.rootless.init", "yes").is_err());
    }

    #[test]
    fn a_wall_is_an_object_of_absolute_paths() {
        assert_eq!(
            one("io.rootless.landlock", r#" {"write":["/tmp"]}"#).unwrap().landlock.unwrap().write.unwrap(),
            ["/tmp"]
        );
        assert_eq!(one("io.rootless.landlock", "{}").unwrap().landlock.unwrap().write, None);
        for value in [
            "",
            "[]",
            r#"[["/tmp"]]"#,
            "null",
            "true",
            r#"{"write":["tmp"]}"#,
            r#"{"write":[""]}"#,
            r#"{"write":["/t\u0000"]}"#,
            r#"{"read":[]}"#,
        ] {
            assert!(one("io.rootless.landlock", value).is_err(), "{value}");
        }
    }
}
