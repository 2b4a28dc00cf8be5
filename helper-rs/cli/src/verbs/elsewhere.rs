//! Verbs for files and layers are in a larger program, `rootless-helper-layers`, in the same folder: what stays beside a container,
//! and what engines install as their runtime, does not carry them.

use crate::args::Global;
use crate::failure::{During, Failure, Step};
use crate::sys::exec;
use rustix::io::{fcntl_setfd, FdFlags};

const VERBS: [&str; 12] = [
    "archive", "changes", "export", "fill", "flatten", "import", "layer", "pack", "remap", "repack", "unpack",
    "validate",
];

/// Becomes that program, with the same command line.
pub fn run(global: &Global) -> Step<u8> {
    if !VERBS.contains(&global.verb.as_str()) {
        return Err(Failure::because("args", "unknown verb").on(&global.verb));
    }
    let me = std::fs::read_link("/proc/self/exe").during("init", "/proc/self/exe")?;
    let mut other = me.into_os_string();
    other.push("-layers");
    // The command line names it by number, and it was taken already.
    if let Some(events) = &global.reporter.events {
        fcntl_setfd(events, FdFlags::empty()).during("init", "events")?;
    }
    let args: Vec<_> = std::env::args_os().map(exec::c).collect();
    let errno = exec::exec(&exec::c(other.clone()), &args, &exec::own_environment());
    Err(Failure::new("init").errno(errno).on(other.to_string_lossy()))
}
