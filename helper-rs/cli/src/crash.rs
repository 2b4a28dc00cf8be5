//! A command line that crashes, or cannot but crash: Node says nothing, or nothing of use, where it is not given what it needs.

use crate::sys::process::Ended;
use rustix::process::{getrlimit, Resource};

/// Of rootless itself, not of a program.
pub const OWN_FAILURE: u8 = 125;
/// Node opens two dozen files before it reads a line of ours.
const LEAST_FILES: u64 = 32;
const FEW_FILES: u64 = 64;
/// Address space that it reserves, most of it never used.
const LITTLE_SPACE: u64 = 4 << 30;
/// It has a dozen threads, and so may have what else this user runs.
const FEW_THREADS: u64 = 256;

/// True, and said, where nothing could come of it.
pub fn is_certain() -> bool {
    let few = getrlimit(Resource::Nofile).current.is_some_and(|limit| limit < LEAST_FILES);
    if few {
        eprintln!("rootless: Node cannot start");
        say_cause();
    }
    few
}

/// The exit code; a crash is explained, by what limits are seen.
pub fn explain(ended: Ended) -> u8 {
    let Ended::Signal(signal @ (libc::SIGSEGV | libc::SIGBUS | libc::SIGABRT | libc::SIGTRAP | libc::SIGILL)) = ended
    else {
        return ended.status();
    };
    eprintln!("rootless: Node crashed (signal {signal})");
    say_cause();
    OWN_FAILURE
}

fn say_cause() {
    if let Some((why, fix)) = cause() {
        eprintln!("  why: {why}\n  fix: {fix}");
    }
}

fn cause() -> Option<(String, &'static str)> {
    let files = getrlimit(Resource::Nofile).current.filter(|limit| *limit < FEW_FILES);
    let memory = getrlimit(Resource::As).current.filter(|limit| *limit < LITTLE_SPACE);
    let threads = getrlimit(Resource::Nproc).current.filter(|limit| *limit < FEW_THREADS);
    match (files, memory, threads) {
        (Some(files), ..) => {
            Some((format!("no more than {files} files may be open at once (ulimit -n)"), "ulimit -n 1024"))
        }
        (_, Some(bytes), _) => {
            Some((format!("its address space is limited to {} KiB (ulimit -v)", bytes >> 10), "ulimit -v unlimited"))
        }
        (.., Some(threads)) => {
            Some((format!("you may have {threads} processes and threads (ulimit -u)"), "end some, or raise ulimit -u"))
        }
        _ => None,
    }
}
