//! Devices below /dev: the standard's own (config-linux.md "Default Devices") and `linux.devices`.

use crate::failure::{During, Failure, Step};
use crate::inside::{self, Missing};
use crate::mounts::{clone_fd, clone_tree, move_onto};
use crate::sys::mount::{set_attr, MountAttr};
use rootless_core::lower::mounts::{MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID};
use rootless_core::oci::runtime::Device;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{fchmod, fstat, makedev, mknodat, openat, symlinkat, Access, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

const DEFAULT: &[(&str, u32, u32)] = &[
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Fills /dev. In a user namespace no device can be made: the host's own are bound, with the host's permissions.
pub fn make(root: &OwnedFd, devices: &[Device], in_user_namespace: bool) -> Step<()> {
    for (path, major, minor) in DEFAULT {
        if !devices.iter().any(|device| device.path == *path) {
            let device = Device {
                kind: "c".into(),
                path: (*path).into(),
                major: i64::from(*major),
                minor: i64::from(*minor),
                file_mode: Some(0o666),
                ..Device::default()
            };
            make_one(root, &device, in_user_namespace).during("device", path)?;
        }
    }
    // /dev/ptmx is that of the container's own devpts, whatever is asked for.
    for (index, device) in devices.iter().enumerate().filter(|(_, device)| device.path != "/dev/ptmx") {
        make_one(root, device, in_user_namespace).during("device", &device.path).map_err(|f| f.at(index))?;
    }
    link(root).during("device", "/dev")
}

fn make_one(root: &OwnedFd, device: &Device, bind: bool) -> Result<(), Errno> {
    if device.kind != "p" && bind {
        let source = host_path(device)?;
        let target = inside::open(root, &device.path, Missing::MakeFile, false)?;
        let node = clone_tree(&source, false)?;
        if !is_device(&fstat(&node)?, device) {
            return Err(Errno::NODEV);
        }
        let attributes = MountAttr { set: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, ..MountAttr::default() };
        set_attr(node.as_fd(), false, attributes)?;
        return move_onto(&node, target.as_fd());
    }
    let (folder, name) = device.path.rsplit_once('/').ok_or(Errno::INVAL)?;
    let folder = inside::open(root, folder, Missing::MakeFolder, false)?;
    let kind = match device.kind.as_str() {
        "b" => FileType::BlockDevice,
        "p" => FileType::Fifo,
        _ => FileType::CharacterDevice,
    };
    let mode = Mode::from_raw_mode(device.file_mode.unwrap_or(0o666));
    let number = makedev(u32::try_from(device.major).unwrap_or(0), u32::try_from(device.minor).unwrap_or(0));
    match mknodat(&folder, name, kind, mode, number) {
        // The standard: what is there and is another thing is an error.
        Err(Errno::EXIST) => {
            let there = rustix::fs::statat(&folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
            let is_same =
                FileType::from_raw_mode(there.st_mode) == kind && (device.kind == "p" || is_device(&there, device));
            return if is_same { Ok(()) } else { Err(Errno::EXIST) };
        }
        other => other?,
    }
    let node = openat(&folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if device.uid.is_some() || device.gid.is_some() {
        let owner = |id: Option<u32>| id.map(rustix::fs::Uid::from_raw);
        let group = device.gid.map(rustix::fs::Gid::from_raw);
        rustix::fs::chownat(&node, "", owner(device.uid), group, rustix::fs::AtFlags::EMPTY_PATH)?;
    }
    // mknod(2) takes the umask away from the mode.
    let by_number = format!("/proc/self/fd/{}", rustix::fd::AsRawFd::as_raw_fd(&node));
    rustix::fs::chmod(by_number, mode)
}

/// The host's node with these numbers: the same path, or the name in sysfs.
fn host_path(device: &Device) -> Result<String, Errno> {
    let is_it = |path: &str| rustix::fs::stat(path).is_ok_and(|stat| is_device(&stat, device));
    if is_it(&device.path) {
        return Ok(device.path.clone());
    }
    let class = if device.kind == "b" { "block" } else { "char" };
    let uevent = format!("/sys/dev/{class}/{}:{}/uevent", device.major, device.minor);
    let text = std::fs::read_to_string(uevent).map_err(|_| Errno::NODEV)?;
    let name = text.lines().find_map(|line| line.strip_prefix("DEVNAME=")).ok_or(Errno::NODEV)?;
    let path = format!("/dev/{name}");
    if is_it(&path) {
        Ok(path)
    } else {
        Err(Errno::NODEV)
    }
}

fn is_device(stat: &Stat, device: &Device) -> bool {
    let kind = if device.kind == "b" { FileType::BlockDevice } else { FileType::CharacterDevice };
    FileType::from_raw_mode(stat.st_mode) == kind
        && i64::from(rustix::fs::major(stat.st_rdev)) == device.major
        && i64::from(rustix::fs::minor(stat.st_rdev)) == device.minor
}

fn link(root: &OwnedFd) -> Result<(), Errno> {
    let dev = inside::open(root, "/dev", Missing::MakeFolder, false)?;
    let core = rustix::fs::access("/proc/kcore", Access::EXISTS).is_ok().then_some(&("core", "/proc/kcore"));
    for (name, target) in LINKS.iter().chain(core) {
        match symlinkat(*target, &dev, *name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Covers /dev/console with the container's terminal: the one that is open, whatever has its name (CVE-2025-52565).
pub fn bind_console(terminal: &OwnedFd) -> Step<()> {
    let work = || -> Result<(), Errno> {
        let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let target = inside::open(&root, "/dev/console", Missing::MakeFile, false)?;
        move_onto(&clone_fd(terminal, false)?, target.as_fd())
    };
    work().map_err(|error| Failure::new("console").errno(error).on("/dev/console"))
}

/// Lets the container's user open its own terminal again by name.
pub fn own_terminal(terminal: &OwnedFd, uid: u32) -> Step<()> {
    let owner = Some(rustix::fs::Uid::from_raw(uid));
    rustix::fs::fchown(terminal, owner, None).during("console", "owner")?;
    fchmod(terminal, Mode::from_raw_mode(0o620)).during("console", "mode")
}
