//! `process.apparmorProfile` and `process.selinuxLabel`: what a security module is to call the program, from its exec on.

use crate::failure::{During, Failure, Step};
use rootless_core::oci::runtime::Process;
use rustix::fd::OwnedFd;
use rustix::fs::{openat, Mode, OFlags};
use rustix::io::Errno;

/// Through the host's procfs. A label that nobody would heed is refused.
pub fn set(process: &Process, proc: &OwnedFd) -> Step<()> {
    if let Some(profile) = process.apparmor_profile.as_deref().filter(|profile| !profile.is_empty()) {
        let files = ["self/attr/apparmor/exec", "self/attr/exec"];
        write(proc, &files, &format!("exec {profile}"), "/sys/module/apparmor", "AppArmor", profile)?;
    }
    if let Some(label) = process.selinux_label.as_deref().filter(|label| !label.is_empty()) {
        write(proc, &["self/attr/exec"], label, "/sys/fs/selinux/enforce", "SELinux", label)?;
    }
    Ok(())
}

fn write(proc: &OwnedFd, files: &[&str], text: &str, sign: &str, module: &str, name: &str) -> Step<()> {
    let mut last = Errno::NOENT;
    for file in files {
        let written = openat(proc, *file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|file| rustix::io::write(&file, text.as_bytes()).map(drop));
        match written {
            Ok(()) => return Ok(()),
            Err(errno) => last = errno,
        }
    }
    if std::path::Path::new(sign).exists() {
        return Err(last).during("label", name);
    }
    Err(Failure::because("label", format!("{module} is not enabled on this machine")).errno(last).on(name))
}
