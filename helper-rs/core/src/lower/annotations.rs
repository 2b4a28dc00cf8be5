//! The `io.rootless.*` annotations: what the standard cannot say (docs/contract.md, "Annotations").

use super::networks::{self, Networks};
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
}

/// Parses them; the `Err` is (annotation, reason). An unknown `io.rootless.` name is an error, never ignored.
pub fn parse(all: &BTreeMap<String, String>) -> Result<Annotations, (String, String)> {
    let mut out = Annotations::default();
    for (name, value) in all {
        if name == "run.oci.keep_original_groups" {
            out.keep_groups = true;
        }
        let Some(ours) = name.strip_prefix("io.rootless.") else { continue };
        let wrong = |reason: &dyn ToString| (name.clone(), reason.to_string());
        match ours {
            "overlay" => out.rootfs = Rootfs::Overlay(serde_json::from_str(value).map_err(|e| wrong(&e))?),
            "copy" => out.rootfs = Rootfs::Copy(serde_json::from_str(value).map_err(|e| wrong(&e))?),
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
            "landlock" => out.landlock = Some(serde_json::from_str(value).map_err(|e| wrong(&e))?),
            "cgroup-apart" => out.apart = truth(value).map_err(|e| wrong(&e))?,
            "init" => out.init = truth(value).map_err(|e| wrong(&e))?,
            "networks" => out.networks = Some(networks::parse(value).map_err(|e| wrong(&e))?),
            "join" => out.join = Some(value.clone()),
            _ => return Err(wrong(&"unknown annotation")),
        }
    }
    Ok(out)
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
    fn foreign_annotations_pass_and_unknown_ones_of_ours_do_not() {
        assert_eq!(one("org.example", "x").unwrap(), Annotations::default());
        assert_eq!(one("io.rootless.overly", "x").unwrap_err().0, "io.rootless.overly");
        assert!(one("io.rootless.init", "yes").is_err());
    }
}
