//! `process.apparmorProfile` and `process.selinuxLabel`: what a security module is to call the program, from its exec on.

use crate::failure::{During, Failure, Step};
use crate::procfs;
use rootless_core::oci::runtime::Process;
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use rustix::io::Errno;

/// A file of this process's own that takes a label, and what is written there. It is opened while the host's procfs can be reached,
/// so that this has not to stay open until the program is executed.
pub struct Label {
    file: OwnedFd,
    text: String,
    name: String,
}

/// A label that nobody would heed is refused.
pub fn prepare(process: &Process, proc: &OwnedFd) -> Step<Vec<Label>> {
    let mut labels = Vec::new();
    if let Some(profile) = process.apparmor_profile.as_deref().filter(|profile| !profile.is_empty()) {
        let files = ["self/attr/apparmor/exec", "self/attr/exec"];
        labels.push(open(proc, &files, format!("exec {profile}"), "/sys/module/apparmor", "AppArmor", profile)?);
    }
    if let Some(label) = process.selinux_label.as_deref().filter(|label| !label.is_empty()) {
        labels.push(open(proc, &["self/attr/exec"], label.into(), "/sys/fs/selinux/enforce", "SELinux", label)?);
    }
    Ok(labels)
}

/// From the next exec on.
pub fn set(labels: &[Label]) -> Step<()> {
    for label in labels {
        rustix::io::write(&label.file, label.text.as_bytes()).during("label", &label.name)?;
    }
    Ok(())
}

fn open(proc: &OwnedFd, files: &[&str], text: String, sign: &str, module: &str, name: &str) -> Step<Label> {
    if !std::path::Path::new(sign).exists() {
        let why = format!("{module} is not enabled on this machine");
        return Err(Failure::because("label", why).errno(Errno::NOENT).on(name));
    }
    let mut last = Errno::NOENT;
    for file in files {
        match procfs::open(proc, file, OFlags::WRONLY) {
            Ok(file) => return Ok(Label { file, text, name: name.to_string() }),
            Err(errno) => last = errno,
        }
    }
    Err(last).during("label", name)
}
