//! mknod(2) of a device with one id: an empty file stands for it, as where a layer with one is unpacked; `commit` and `export` tell the device.

use super::asker::{Asker, AT_FDCWD};
use crate::override_stat;
use rustix::fs::{major, minor, openat, unlinkat, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

pub const CALLS: &[&str] = &["mknod", "mknodat"];

/// `owner` is who the process is taken for.
pub fn mknod(asker: &Asker<'_>, call: &str, owner: (u32, u32)) -> Result<(), Errno> {
    let a = asker.asked.args;
    let (dirfd, path, mode, device) = match call {
        "mknod" => (AT_FDCWD, a[0], a[1], a[2]),
        _ => (a[0] as i32, a[1], a[2], a[3]),
    };
    let kind = match FileType::from_raw_mode(mode as u32) {
        FileType::CharacterDevice => "char",
        FileType::BlockDevice => "block",
        _ => return Err(Errno::INVAL),
    };
    // The kernel's own form of a number: 12 bits of the major one between those of the minor one.
    let device = u64::from(device as u32);
    let kind = format!("{kind}-{}-{}", major(device), minor(device));
    let permissions = mode as u32 & 0o7777 & !asker.umask();
    let (folder, name) = asker.parent(dirfd, path)?;
    asker.still_waits()?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&folder, name.as_str(), flags, Mode::from_raw_mode(permissions))?;
    // This process has an umask of its own.
    rustix::fs::fchmod(&file, Mode::from_raw_mode(permissions))?;
    match override_stat::mark(&file, owner, permissions, &kind) {
        // Where nothing can be recorded nothing may be there: a plain file would be taken for what it is not.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSPC) => unlinkat(&folder, name.as_str(), AtFlags::empty()),
        other => other,
    }
}
