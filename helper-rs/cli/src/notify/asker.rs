//! The process that waits for an answer: which call it made, its memory, and the files that it means.

use crate::inside::{self, Missing};
use crate::sys::seccomp::{self, Notification};
use rootless_core::seccomp::syscalls::{number, Number};
use rootless_core::seccomp::Arch;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt;

const PATH_MAX: usize = 4096;
pub const AT_FDCWD: i32 = -100;

pub struct Asker<'a> {
    pub listener: &'a OwnedFd,
    pub asked: &'a Notification,
}

impl Asker<'_> {
    /// Which of `calls` it made. With it the size of an id in its memory: the first calls of i386 had ids of two bytes.
    pub fn call(&self, calls: &[&'static str]) -> Option<(&'static str, usize)> {
        let nr = u32::try_from(self.asked.nr).ok()?;
        let archs = [Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64];
        let arch =
            archs.into_iter().find(|arch| arch.token() == self.asked.arch && called(calls, *arch, nr).is_some())?;
        let call = called(calls, arch, nr)?;
        let short = arch == Arch::X86 && !call.ends_with("32");
        Some((call, if short { 2 } else { 4 }))
    }

    /// What was read of the process is its own only while it still waits in this call (seccomp_unotify(2)).
    pub fn still_waits(&self) -> Result<(), Errno> {
        match seccomp::still_valid(self.listener.as_fd(), self.asked.id) {
            true => Ok(()),
            false => Err(Errno::NOENT),
        }
    }

    pub fn by_fd(&self, fd: i32) -> Result<OwnedFd, Errno> {
        rustix::fs::open(self.proc(&format!("fd/{fd}")), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|_| Errno::BADF)
    }

    pub fn by_path(&self, dirfd: i32, address: u64, follow: bool) -> Result<OwnedFd, Errno> {
        self.open(dirfd, &self.read_path(address)?, follow)
    }

    /// The folder that a path is in, and its name there.
    pub fn parent(&self, dirfd: i32, address: u64) -> Result<(OwnedFd, String), Errno> {
        let path = self.read_path(address)?;
        let path = path.trim_end_matches('/');
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let folder = if path.len() == name.len() + 1 { "/" } else { folder };
        match name {
            "" if path.is_empty() => Err(Errno::NOENT),
            "." | ".." | "" => Err(Errno::EXIST),
            name => Ok((self.open(dirfd, folder, true)?, name.to_string())),
        }
    }

    /// Resolved inside the process's own root, so that no path of the container's names a file outside.
    fn open(&self, dirfd: i32, path: &str, follow: bool) -> Result<OwnedFd, Errno> {
        let whole = if path.starts_with('/') {
            path.to_string()
        } else {
            let base = if dirfd == AT_FDCWD { "cwd".to_string() } else { format!("fd/{dirfd}") };
            let base = std::fs::read_link(self.proc(&base)).map_err(|_| Errno::BADF)?;
            format!("{}/{path}", base.to_str().ok_or(Errno::INVAL)?)
        };
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let root = rustix::fs::open(self.proc("root"), flags, Mode::empty())?;
        inside::open(root, &whole, Missing::Refuse, !follow)
    }

    pub fn umask(&self) -> u32 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        line.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o022)
    }

    /// Where its stack begins (proc_pid_stat(5), field 28): another number after each execve(2).
    pub fn stack(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(self.proc("stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        after_name.split(' ').nth(25)?.parse().ok()
    }

    pub fn read_path(&self, address: u64) -> Result<String, Errno> {
        let memory = File::open(self.proc("mem")).map_err(|_| Errno::PERM)?;
        let mut out = Vec::new();
        // Up to the next page each time: the string may end just before memory that is not there.
        while out.len() < PATH_MAX {
            let at = address.checked_add(out.len() as u64).ok_or(Errno::FAULT)?;
            let mut page = vec![0; 4096 - (at % 4096) as usize];
            let got = memory.read_at(&mut page, at).map_err(|_| Errno::FAULT)?;
            if let Some(end) = page[..got].iter().position(|byte| *byte == 0) {
                out.extend_from_slice(&page[..end]);
                return String::from_utf8(out).map_err(|_| Errno::ILSEQ);
            }
            if got == 0 {
                return Err(Errno::FAULT);
            }
            out.extend_from_slice(&page[..got]);
        }
        Err(Errno::NAMETOOLONG)
    }

    /// `count` ids of `size` bytes each.
    pub fn read_ids(&self, address: u64, count: usize, size: usize) -> Result<Vec<u32>, Errno> {
        let mut bytes = vec![0; count * size];
        let memory = File::open(self.proc("mem")).map_err(|_| Errno::PERM)?;
        memory.read_exact_at(&mut bytes, address).map_err(|_| Errno::FAULT)?;
        let id = |bytes: &[u8]| bytes.iter().rev().fold(0, |id, byte| id << 8 | u32::from(*byte));
        Ok(bytes.chunks(size).map(id).collect())
    }

    pub fn write_ids(&self, address: u64, ids: &[u32], size: usize) -> Result<(), Errno> {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes().into_iter().take(size)).collect();
        let memory = File::options().write(true).open(self.proc("mem")).map_err(|_| Errno::PERM)?;
        // Asked once more: what is written into must still be the process that asked.
        self.still_waits()?;
        memory.write_all_at(&bytes, address).map_err(|_| Errno::FAULT)
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.asked.pid)
    }
}

fn called(calls: &[&'static str], arch: Arch, nr: u32) -> Option<&'static str> {
    calls.iter().find(|call| number(call, arch) == Number::Is(nr)).copied()
}
