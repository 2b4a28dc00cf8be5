//! `probe`: tries things in a throwaway namespace, instead of guessing them from a kernel version.

use super::state::print_json;
use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::layers::remove::remove_tree;
use crate::rootfs;
use crate::userns::{self, IdMap};
use rootless_core::lower::annotations::{Overlay, Rootfs};
use rootless_core::oci::runtime::IdMapping;
use rustix::fs::Mode;
use serde_json::{json, Map, Value};
use std::path::Path;

pub fn probe(global: Global) -> Step<u8> {
    let mut map = None;
    let mut wanted = Vec::new();
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "idmap" => map = Some(IdMap::parse(&given.text()?)?),
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(what) => wanted.push(what.to_string_lossy().into_owned()),
        }
    }
    let map = args::required(map, "--idmap")?;
    let mut out = Map::new();
    for what in wanted {
        out.insert(what.clone(), answer(userns::in_child(|| attempt(&what, &map))));
    }
    print_json(&Value::Object(out))?;
    Ok(0)
}

fn answer(result: Step<()>) -> Value {
    match result {
        Ok(()) => json!({ "ok": true }),
        Err(failure) => {
            let mut value: Value = serde_json::from_str(&failure.to_json()).unwrap_or_default();
            if let Some(fields) = value.as_object_mut() {
                fields.remove("event");
                fields.insert("ok".into(), json!(false));
            }
            value
        }
    }
}

fn attempt(what: &str, map: &IdMap) -> Step<()> {
    let (name, argument) = what.split_once('=').unwrap_or((what, ""));
    match name {
        // As the caller, whose groups and quota count.
        "ping" => return ping(),
        "keyring" => return crate::sys::process::new_keyring(c"_ses.probe").during("init", "keyring"),
        _ => {}
    }
    let more = match name {
        "net" => libc::CLONE_NEWNET,
        "proc" => libc::CLONE_NEWPID,
        _ => 0,
    };
    let flags = libc::CLONE_NEWNS | more;
    userns::enter_with_caller(map, flags)?;
    match name {
        "userns" => Ok(()),
        "net" => crate::sys::net::loopback_up().during("network", "lo"),
        "overlay" => in_folder(Path::new(argument), |folder| overlay(folder, None)),
        "fuse" => {
            let (program, folder) =
                argument.split_once(':').ok_or_else(|| Failure::because("args", "fuse=PROGRAM:DIR"))?;
            in_folder(Path::new(folder), |folder| overlay(folder, Some(program)))
        }
        "tmpfs-overlay" => tmpfs_overlay(),
        // The new pid namespace begins with the next process.
        "proc" => userns::in_child(new_proc),
        // One more below it: what is mapped in there is all there is.
        "nested" => {
            userns::in_child(|| userns::enter(&own_root(), libc::CLONE_NEWNS).map_err(|failure| failure.on("nested")))
        }
        _ => Err(Failure::because("args", "unknown probe").on(what)),
    }
}

/// Root alone.
fn own_root() -> IdMap {
    let one = || vec![IdMapping { container_id: 0, host_id: 0, size: 1 }];
    IdMap { uid: one(), gid: one(), ..IdMap::default() }
}

/// A socket for echo requests, as pasta opens one for a container's ping (icmp(7)).
fn ping() -> Step<()> {
    use rustix::net::{ipproto, socket, AddressFamily, SocketType};
    socket(AddressFamily::INET, SocketType::DGRAM, Some(ipproto::ICMP)).during("network", "ping").map(drop)
}

/// Mounts, changes a file, deletes one: what a container does.
fn overlay(folder: &Path, program: Option<&str>) -> Step<()> {
    for name in ["lower", "upper", "work", "merged"] {
        std::fs::create_dir(folder.join(name)).during("overlay", name)?;
    }
    for name in ["changed", "deleted"] {
        std::fs::write(folder.join("lower").join(name), name).during("overlay", name)?;
    }
    let overlay = Overlay {
        base: folder.display().to_string(),
        lower: vec!["lower".into()],
        upper: Some("upper".into()),
        work: Some("work".into()),
        ..Overlay::default()
    };
    let merged = folder.join("merged");
    match program {
        None => drop(rootfs::prepare(&Rootfs::Overlay(overlay), &merged, None)?),
        Some(program) => start_fuse(program, folder)?,
    }
    let result = std::fs::write(merged.join("changed"), "new")
        .and_then(|()| std::fs::remove_file(merged.join("deleted")))
        .during("overlay", merged.display());
    let _ = rustix::process::chdir("/");
    rustix::mount::unmount(&merged, rustix::mount::UnmountFlags::DETACH).during("overlay", merged.display())?;
    result
}

/// fuse-overlayfs goes to the background when the mount stands, and ends with it.
fn start_fuse(program: &str, folder: &Path) -> Step<()> {
    let output = std::process::Command::new(program)
        .current_dir(folder)
        .args(["-o", "lowerdir=lower,upperdir=upper,workdir=work", "merged"])
        .output()
        .during("overlay", program)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failure::because("overlay", String::from_utf8_lossy(&output.stderr).trim()).on(program)),
    }
}

fn tmpfs_overlay() -> Step<()> {
    let overlay = Overlay { base: "/".into(), lower: vec!["/".into()], tmpfs: true, ..Overlay::default() };
    rootfs::prepare(&Rootfs::Overlay(overlay), Path::new("/tmp"), None).map(drop)
}

/// Whether the kernel gives this namespace a /proc of its own: not where the one that is seen has covered parts.
fn new_proc() -> Step<()> {
    use rustix::mount::{fsconfig_create, fsmount, fsopen, FsMountFlags, FsOpenFlags, MountAttrFlags};
    let proc = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).during("mount", "proc")?;
    fsconfig_create(&proc).during("mount", "proc")?;
    fsmount(&proc, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).during("mount", "proc").map(drop)
}

/// A private folder below `parent`, removed afterwards whatever happens.
fn in_folder(parent: &Path, work: impl FnOnce(&Path) -> Step<()>) -> Step<()> {
    let folder = parent.join(format!(".probe-{}", std::process::id()));
    rustix::fs::mkdir(&folder, Mode::from_raw_mode(0o700)).during("overlay", folder.display())?;
    let result = work(&folder);
    let removed = remove_tree(&folder);
    result.and(removed)
}
