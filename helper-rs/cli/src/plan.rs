//! A bundle read, checked and lowered: all that a launch needs, before any process exists.

use crate::failure::{During, Failure, Step};
use crate::memory_policy;
use crate::sys::seccomp::{Filter, NEW_LISTENER};
use crate::userns::{self, IdMap};
use rootless_core::lower::annotations::{self, Annotations, Crun, Rootfs};
use rootless_core::lower::mounts::{self, MountIds, MountOp, Source};
use rootless_core::lower::namespaces::{
    self, Namespaces, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWUTS,
};
use rootless_core::lower::resources;
use rootless_core::oci::runtime::{Capabilities, Hooks, Linux, Process, Root, SeccompRule, Spec};
use rootless_core::seccomp::{self, Arch};
use rootless_core::{caps, validate};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Capability sets as bit masks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapMasks {
    pub bounding: u64,
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

/// A compiled filter and how to load it.
pub struct SeccompFilter {
    pub program: Vec<Filter>,
    pub flags: u32,
    /// Some rule asks for `SCMP_ACT_NOTIFY`.
    pub notifies: bool,
    pub listener_path: Option<String>,
    pub listener_metadata: String,
}

/// What a launch does.
pub struct Plan {
    pub id: String,
    pub bundle: PathBuf,
    pub spec: Spec,
    pub process: Process,
    pub hooks: Hooks,
    pub linux: Linux,
    pub root: Root,
    pub rootfs: PathBuf,
    pub annotations: Annotations,
    pub namespaces: Namespaces,
    pub mounts: Vec<MountOp>,
    pub id_map: IdMap,
    pub caps: CapMasks,
    pub filter: Option<SeccompFilter>,
    /// What is left out, and is no reason to refuse the container.
    pub warnings: Vec<String>,
}

const LARGEST_CONFIG: u64 = 16 << 20;

impl Plan {
    /// Reads `config.json` of a bundle.
    pub fn read(id: &str, bundle: &Path) -> Step<Plan> {
        Plan::read_file(id, bundle, &bundle.join("config.json")).map(|(plan, _)| plan)
    }

    /// Reads a configuration, once: what was checked is what is run, and what is answered beside it to be kept.
    pub fn read_file(id: &str, bundle: &Path, file: &Path) -> Step<(Plan, String)> {
        check_id(id)?;
        let bundle = bundle.canonicalize().during("bundle", bundle.display())?;
        let at = file.display();
        let mut text = String::new();
        let source = std::fs::File::open(file).during("bundle", &at)?;
        source.take(LARGEST_CONFIG + 1).read_to_string(&mut text).during("bundle", &at)?;
        if text.len() as u64 > LARGEST_CONFIG {
            return Err(Failure::because("bundle", format!("it has more than {LARGEST_CONFIG} bytes")).on(at));
        }
        if let Err(failure) = refuse_problems(&text) {
            // Go writes null for what is absent, and reads it so; the standard does not know it.
            text = without_nulls(&text).ok_or(failure)?;
            refuse_problems(&text)?;
        }
        Ok((Plan::lower(id, bundle, &text)?, text))
    }

    /// Reads it again, for a container that was launched from it: it was found right then.
    pub fn read_again(id: &str, bundle: &Path) -> Step<Plan> {
        let file = bundle.join("config.json");
        let text = std::fs::read_to_string(&file).during("bundle", file.display())?;
        Plan::lower(id, bundle.to_path_buf(), &text)
    }

    fn lower(id: &str, bundle: PathBuf, text: &str) -> Step<Plan> {
        let spec: Spec = serde_json::from_str(text).map_err(|error| Failure::because("config", error.to_string()))?;
        let mut linux = spec.linux.clone().unwrap_or_default();
        let root = spec.root.clone().ok_or_else(|| Failure::because("config", "no root").on("$.root"))?;
        let annotations = annotations::parse(&spec.annotations)
            .map_err(|(name, reason)| Failure::because("config", reason).on(format!("$.annotations.{name}")))?;
        let mut namespaces = namespaces::lower(&linux.namespaces)
            .map_err(|kind| Failure::because("config", "unknown namespace").on(kind))?;
        let joins_user = namespaces.join.iter().any(|(flag, _)| *flag == CLONE_NEWUSER);
        // Nobody but root can do anything without one; as with crun, a bundle that does not say so gets it.
        if !joins_user && !userns::is_privileged() {
            namespaces.new |= CLONE_NEWUSER;
        }
        if namespaces.new & CLONE_NEWUSER != 0 && linux.uid_mappings.is_empty() && linux.gid_mappings.is_empty() {
            (linux.uid_mappings, linux.gid_mappings) = userns::default_maps();
        }
        if namespaces.new & CLONE_NEWNS == 0 && !namespaces.join.iter().any(|(flag, _)| *flag == CLONE_NEWNS) {
            return Err(
                Failure::because("config", "a container without a mount namespace is refused").on("$.linux.namespaces")
            );
        }
        let uses_user_namespace =
            namespaces.new & CLONE_NEWUSER != 0 || namespaces.join.iter().any(|(flag, _)| *flag == CLONE_NEWUSER);
        let has_network =
            |flag: i32| namespaces.new & flag != 0 || namespaces.join.iter().any(|(joined, _)| *joined == flag);
        if !linux.net_devices.is_empty() && !has_network(CLONE_NEWNET) {
            let why = "devices are moved into a namespace of type \"network\", and there is none";
            return Err(Failure::because("config", why).on("$.linux.netDevices"));
        }
        linux.resources.iter_mut().for_each(|resources| resources::as_of(&spec.oci_version, resources));
        refuse_conflicts(&spec, &linux)?;
        refuse_names_of_host(&spec, &linux, &namespaces)?;
        linux.memory_policy.as_ref().map_or(Ok(()), |policy| memory_policy::numbers(policy).map(drop))?;
        let rootfs = bundle.join(&root.path);
        let mounts = spec
            .mounts
            .iter()
            .enumerate()
            .map(|(index, mount)| {
                let lowered = mounts::lower(index, mount, namespaces.new & CLONE_NEWCGROUP != 0).map_err(|option| {
                    Failure::because("mount", format!("unknown option {option:?}")).at(index).on(&mount.destination)
                })?;
                let extra = annotations.mounts.get(&mount.destination).cloned().unwrap_or_default();
                if lowered.idmap.as_ref().is_some_and(MountIds::is_own) && !uses_user_namespace {
                    let why = "ids are mapped to those of a user namespace, and the container has none";
                    return Err(Failure::because("mount", why).at(index).on(&mount.destination));
                }
                let target = within_root(&rootfs, &lowered.target);
                let mut lowered = lowered;
                if let Some(label) = linux.mount_label.as_deref().filter(|label| !label.is_empty() && has_selinux()) {
                    mounts::label(&mut lowered, annotations.crun.mount_context.as_deref().unwrap_or("context"), label);
                }
                Ok(MountOp { extra, target, source: near(&bundle, lowered.source), ..lowered })
            })
            .collect::<Step<Vec<_>>>()?;
        let process = spec.process.clone().unwrap_or_default();
        let (caps, mut warnings) = masks(process.capabilities.as_ref());
        // mount(2) takes what it is given beside a bind, and does nothing with it.
        for op in mounts.iter().filter(|op| !op.unheeded.is_empty()) {
            warnings.push(format!(
                "mount {} {:?}: a bind has no option {}",
                op.index,
                op.target,
                op.unheeded.join(",")
            ));
        }
        refuse_strangers(process.capabilities.as_ref())?;
        let id_map = IdMap {
            uid: linux.uid_mappings.clone(),
            gid: linux.gid_mappings.clone(),
            newuidmap: annotations.newuidmap.clone(),
            newgidmap: annotations.newgidmap.clone(),
        };
        Ok(Plan {
            id: id.to_string(),
            rootfs,
            caps,
            filter: filter_of(&linux, &annotations.crun)?,
            id_map,
            bundle,
            process,
            hooks: spec.hooks.clone().unwrap_or_default(),
            linux,
            root,
            annotations,
            namespaces,
            mounts,
            spec,
            warnings,
        })
    }

    /// Where the caller is not mapped, the container's root may not walk through the caller's folders, a home for example. So
    /// the launch stands in the folder of the layers, and what lies near is named from there.
    pub fn stand_nearby(&mut self) -> Step<()> {
        let Rootfs::Overlay(overlay) = &mut self.annotations.rootfs else { return Ok(()) };
        if self.namespaces.new & CLONE_NEWUSER == 0 || !userns::is_foreign(&self.id_map) {
            return Ok(());
        }
        let base = Path::new(&overlay.base).canonicalize().during("overlay", &overlay.base)?;
        let own = |path: &str| Path::new(path).is_absolute().then(|| base.join(path));
        let folders: Vec<PathBuf> =
            [&overlay.upper, &overlay.work].into_iter().flatten().map(|path| base.join(path)).collect();
        userns::give(&self.id_map, &folders.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
        // The layers of this mapping, all layers, the store; the container, all containers.
        for folder in base.ancestors().take(3).chain(self.bundle.ancestors().take(2)) {
            userns::let_pass(folder)?;
        }
        // Layers that several mappings share lie in the folder of one of them.
        let shared = overlay.lower.iter().filter(|layer| layer.starts_with("../"));
        for folder in shared.filter_map(|layer| Path::new(layer.as_str()).parent()) {
            userns::let_pass(&base.join(folder))?;
        }
        std::env::set_current_dir(&base).during("overlay", base.display())?;
        overlay.base = ".".into();
        for path in [&mut overlay.upper, &mut overlay.work].into_iter().flatten() {
            if let Some(path_there) = own(path) {
                *path = from(&base, &path_there);
            }
        }
        self.rootfs = PathBuf::from(from(&base, &self.rootfs));
        // The container's own files, and volumes: whatever lies in the store.
        let store = self.bundle.ancestors().nth(2).unwrap_or(&self.bundle);
        let nearby = |path: &str| match Path::new(path).starts_with(store) {
            true => from(&base, Path::new(path)),
            false => path.to_string(),
        };
        for op in &mut self.mounts {
            match &mut op.source {
                Source::Bind { path, .. } => *path = nearby(path),
                Source::New { kind, parameters, .. } if kind == "overlay" => {
                    for (key, value) in parameters {
                        if let (true, Some(value)) = (key.ends_with("dir"), value) {
                            // The store's own paths have no colon that would have to be escaped.
                            *value = value.split(':').map(nearby).collect::<Vec<_>>().join(":");
                        }
                    }
                }
                Source::New { .. } => {}
            }
        }
        Ok(())
    }

    /// Another process for the same container (`exec`).
    pub fn replace_process(&mut self, process: Process) {
        let unknown;
        (self.caps, unknown) = masks(process.capabilities.as_ref());
        self.warnings.extend(unknown);
        self.process = process;
    }

    /// As the kernel gets them, those that are always there apart.
    pub fn seccomp_flags(&self) -> Option<u32> {
        self.filter.as_ref().map(|filter| filter.flags | if filter.notifies { NEW_LISTENER } else { 0 })
    }

    pub fn new_user_namespace(&self) -> bool {
        self.namespaces.new & CLONE_NEWUSER != 0
    }

    /// True if the container's processes live in another user namespace than the runtime's, new or joined.
    pub fn in_user_namespace(&self) -> bool {
        self.new_user_namespace() || self.namespaces.join.iter().any(|(flag, _)| *flag == CLONE_NEWUSER)
    }
}

/// Elsewhere `linux.mountLabel` means nothing, as in runc and crun.
fn has_selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}

/// A target may be named from the host, as runc has it.
fn within_root(rootfs: &Path, target: &str) -> String {
    match Path::new(target).strip_prefix(rootfs) {
        Ok(rest) if rootfs != Path::new("/") => Path::new("/").join(rest).display().to_string(),
        _ => target.to_string(),
    }
}

/// What is bound has an absolute name, or one that begins at the bundle (config.md "Mounts").
fn near(bundle: &Path, source: Source) -> Source {
    match source {
        Source::Bind { path, recursive } if !path.is_empty() => {
            Source::Bind { path: bundle.join(path).display().to_string(), recursive }
        }
        other => other,
    }
}

/// A path as seen from `base`; both absolute and without links.
fn from(base: &Path, path: &Path) -> String {
    let shared = base.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    let up = base.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect::<PathBuf>().display().to_string()
}

/// Container ids become file names.
pub fn check_id(id: &str) -> Step<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    if id.is_empty() || id.len() > 1024 || !id.chars().all(good) || id.starts_with('.') {
        let why = "invalid character in the container ID: it has letters, digits and _ + - . only, and no . first";
        return Err(Failure::because("args", why).on(id));
    }
    Ok(())
}

fn refuse_problems(text: &str) -> Step<()> {
    let problems = validate::validate("config", text).unwrap_or_default();
    match problems.iter().find(|problem| problem.is_error() && !is_bearable(problem)) {
        Some(problem) => Err(Failure::because("validate", &*problem.message).on(&problem.path)),
        None => Ok(()),
    }
}

/// Against the standard, but what engines in use write (Go leaves zeroes out) and runc and crun run.
fn is_bearable(problem: &validate::Problem) -> bool {
    matches!(problem.rule, "user-namespace-mapping" | "annotation-image")
        // Judged again when it becomes numbers.
        || problem.path.starts_with("$.linux.memoryPolicy.")
        || problem.rule == "required" && ["user", "scheduler", "ioPriority"].iter().any(|name| within(problem, name))
        || problem.path.starts_with("$.process.capabilities.")
}

fn within(problem: &validate::Problem, name: &str) -> bool {
    let rest = problem.path.strip_prefix("$.process.").and_then(|rest| rest.strip_prefix(name));
    rest.is_some_and(|rest| rest.starts_with('.'))
}

/// `None` if the document has no null, or is none.
fn without_nulls(text: &str) -> Option<String> {
    fn drop_nulls(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(members) => {
                members.retain(|_, member| !member.is_null());
                members.values_mut().for_each(drop_nulls);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(drop_nulls),
            _ => {}
        }
    }
    if !text.contains("null") {
        return None;
    }
    let mut document = serde_json::from_str(text).ok()?;
    drop_nulls(&mut document);
    Some(document.to_string())
}

/// A name that the document says twice, and not the same.
fn refuse_conflicts(spec: &Spec, linux: &Linux) -> Step<()> {
    for (key, named) in [("kernel.hostname", &spec.hostname), ("kernel.domainname", &spec.domainname)] {
        if let (Some(named), Some(value)) = (named, linux.sysctl.get(key)) {
            if named != value {
                let message = format!("the sysctl {key} conflicts with the name {named:?}");
                return Err(Failure::because("config", message).on(format!("$.linux.sysctl.{key}")));
            }
        }
    }
    Ok(())
}

/// What is set for a namespace needs one that is not the runtime's own: root would change the host. The validator sees whether there is
/// one, and not which.
fn refuse_names_of_host(spec: &Spec, linux: &Linux, namespaces: &Namespaces) -> Step<()> {
    let is_own = |flag: i32| {
        let joined = namespaces.join.iter().find(|(joined, _)| *joined == flag);
        let kind = namespaces::KINDS.iter().find(|(_, known, _)| *known == flag).map_or("", |(_, _, file)| *file);
        let identity = |path: &str| rustix::fs::stat(path).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        let is_host = |path: &String| identity(path) == identity(&format!("/proc/self/ns/{kind}"));
        namespaces.new & flag != 0 || joined.is_some_and(|(_, path)| !is_host(path))
    };
    let refuse = |kind: &str, at: String| {
        Err(Failure::because("config", format!("without a private {kind} namespace it would be the host's")).on(at))
    };
    for (name, value) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        if value.as_ref().is_some_and(|value| !value.is_empty()) && !is_own(CLONE_NEWUTS) {
            return refuse("uts", format!("$.{name}"));
        }
    }
    for key in linux.sysctl.keys() {
        let (kind, flag) = match key.split(['.', '/']).next() {
            Some("net") => ("network", CLONE_NEWNET),
            Some("fs") => ("ipc", CLONE_NEWIPC),
            _ if key.ends_with("name") => ("uts", CLONE_NEWUTS),
            Some("kernel") => ("ipc", CLONE_NEWIPC),
            _ => continue,
        };
        if !is_own(flag) {
            return refuse(kind, format!("$.linux.sysctl.{key}"));
        }
    }
    Ok(())
}

/// Where not one of the names is known nobody could have been meant: it is refused, as by crun. Some are left out, with a warning, as by runc.
fn refuse_strangers(sets: Option<&Capabilities>) -> Step<()> {
    let all = sets.map(|sets| [&sets.bounding, &sets.effective, &sets.inheritable, &sets.permitted, &sets.ambient]);
    let mut names = all.into_iter().flatten().flatten();
    match names.clone().next() {
        Some(first) if names.all(|name| caps::number(name).is_none()) => {
            Err(Failure::because("capabilities", "not one of the capabilities is known").on(first))
        }
        _ => Ok(()),
    }
}

/// The sets, and a warning for each name that this program does not know: a newer engine may.
fn masks(sets: Option<&Capabilities>) -> (CapMasks, Vec<String>) {
    let Some(sets) = sets else { return (CapMasks::default(), Vec::new()) };
    let mut strangers = Vec::new();
    let mut mask = |names: &[String]| -> u64 {
        let (bits, others) = caps::set(names.iter().map(String::as_str));
        strangers.extend(others.into_iter().map(str::to_string));
        bits
    };
    let (bounding, permitted) = (mask(&sets.bounding), mask(&sets.permitted));
    let (wanted, inheritable) = (mask(&sets.effective), mask(&sets.inheritable));
    // The standard: what cannot be granted is told, and no reason to fail. The kernel would refuse all of capset(2).
    let not_granted = wanted & !permitted | inheritable & !bounding;
    let inheritable = inheritable & bounding;
    let masks = CapMasks {
        bounding,
        effective: wanted & permitted,
        permitted,
        inheritable,
        // The kernel has no ambient capability that is not both; documents that engines write name more.
        ambient: mask(&sets.ambient) & permitted & inheritable,
    };
    strangers.extend(
        caps::NAMES
            .iter()
            .enumerate()
            .filter(|(at, _)| not_granted & 1 << at != 0)
            .map(|(_, name)| (*name).to_string()),
    );
    strangers.sort();
    strangers.dedup();
    let mut unknown = Vec::new();
    if !strangers.is_empty() {
        unknown.push(format!("ignoring unknown or unavailable capabilities: [{}]", strangers.join(" ")));
    }
    // With no inheritable ones at all nobody meant it: buildah writes such sets for each of its programs.
    let named = if inheritable == 0 { &[][..] } else { &sets.ambient };
    for name in named.iter().filter(|name| caps::number(name).is_some_and(|at| masks.ambient & 1 << at == 0)) {
        unknown.push(format!("can't raise ambient capability {name}: it is not both permitted and inheritable"));
    }
    unknown.sort();
    unknown.dedup();
    (masks, unknown)
}

/// crun's annotations may bring a filter in place of the profile, and an agent for a profile that names none.
fn filter_of(linux: &Linux, crun: &Crun) -> Step<Option<SeccompFilter>> {
    if let Some(data) = &crun.seccomp_data {
        return Ok(Some(SeccompFilter {
            program: data.chunks_exact(8).map(instruction).collect(),
            flags: 0,
            notifies: crun.seccomp_receiver.is_some(),
            listener_path: crun.seccomp_receiver.clone(),
            listener_metadata: String::new(),
        }));
    }
    let filter = compile(linux, crun.fail_unknown_syscall)?;
    Ok(filter.map(|filter| match (&filter.listener_path, &crun.seccomp_receiver) {
        (None, Some(receiver)) => SeccompFilter { notifies: true, listener_path: Some(receiver.clone()), ..filter },
        _ => filter,
    }))
}

/// `struct sock_filter` as crun's users store it: of this machine.
fn instruction(bytes: &[u8]) -> Filter {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    Filter {
        code: u16::from_ne_bytes([byte(0), byte(1)]),
        jt: byte(2),
        jf: byte(3),
        k: u32::from_ne_bytes([byte(4), byte(5), byte(6), byte(7)]),
    }
}

fn compile(linux: &Linux, strict: bool) -> Step<Option<SeccompFilter>> {
    let Some(profile) = &linux.seccomp else { return Ok(None) };
    let failed = |reason: String| Failure::because("seccomp", reason);
    let asks_of_write =
        |rule: &SeccompRule| rule.action == "SCMP_ACT_NOTIFY" && rule.names.iter().any(|name| name == "write");
    if profile.syscalls.iter().any(asks_of_write) {
        // As in runc: what a runtime says until the program is executed would wait for an agent that is not asked yet.
        return Err(failed("SCMP_ACT_NOTIFY cannot be used for the write syscall".into()));
    }
    let native = Arch::native().ok_or_else(|| failed("no filter for this architecture".into()))?;
    let program = seccomp::compile(profile, native).map_err(|error| failed(error.to_string()))?;
    if let (true, [unknown, ..]) = (strict, program.unknown_syscalls.as_slice()) {
        return Err(failed(format!("unknown system call {unknown}")));
    }
    // Who names none gets what runc gives: without it older kernels slow the program down.
    let flags = profile.flags.as_deref().map_or(Ok(SPEC_ALLOW), seccomp::flags::bits);
    let flags = flags.map_err(|name| failed(format!("unknown flag {name}")))?;
    // One thread: nothing to synchronise, and the kernel refuses it together with a listener.
    const TSYNC: u64 = 1;
    const SPEC_ALLOW: u64 = 4;
    Ok(Some(SeccompFilter {
        program: program.instructions.iter().map(|i| Filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect(),
        flags: (flags & !TSYNC) as u32,
        // Engines that name an agent wait for it, whatever the rules say.
        notifies: program.notifies || profile.listener_path.is_some(),
        listener_path: profile.listener_path.clone(),
        listener_metadata: profile.listener_metadata.clone().unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_from_a_neighbour() {
        let from = |base: &str, path: &str| from(Path::new(base), Path::new(path));
        assert_eq!(from("/d/layers/m", "/d/containers/i/upper"), "../../containers/i/upper");
        assert_eq!(from("/d", "/d/x"), "x");
        assert_eq!(from("/", "/home/x"), "home/x");
    }

    #[test]
    fn an_id_is_a_file_name() {
        assert!(check_id("a-b_c.d+1").is_ok());
        for id in ["", ".", "..", ".a", "a/b", "a b", "ä"] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
    }
}
