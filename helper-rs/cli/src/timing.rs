//! `--timing FILE`: when each step of a launch was over, in milliseconds since the helper began, a line a step, from both sides of the
//! fork. Without it a mark costs the look at one number.

use crate::clock;
use crate::failure::{During, Step};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::OnceLock;

struct Trace {
    file: OwnedFd,
    /// Nanoseconds since 1970.
    began: u64,
}

static TRACE: OnceLock<Trace> = OnceLock::new();
static LAST: AtomicU64 = AtomicU64::new(0);

/// Begins the file anew, or goes on in it where this process has started itself again from a sealed view.
pub fn begin(path: &Path) -> Step<()> {
    let head = format!("# process {}, began at ", std::process::id());
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let earlier = before.strip_prefix(&head).and_then(|rest| rest.split_once(' ')?.0.parse().ok());
    let began = earlier.unwrap_or_else(now);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
    let fresh = if earlier.is_some() { OFlags::empty() } else { OFlags::TRUNC };
    let file = rustix::fs::open(path, flags | fresh, Mode::from_raw_mode(0o600)).during("args", path.display())?;
    if earlier.is_none() {
        let _ = rustix::io::write(&file, format!("{head}{began} ns since 1970\n").as_bytes());
    }
    LAST.store(now(), Relaxed);
    let _ = TRACE.set(Trace { file, began });
    mark("begin");
    Ok(())
}

/// The step that is named was over now.
pub fn mark(step: &str) {
    let Some(trace) = TRACE.get() else { return };
    let at = now();
    let since = |earlier: u64| at.saturating_sub(earlier) as f64 / 1e6;
    let (whole, own) = (since(trace.began), since(LAST.swap(at, Relaxed)));
    let line = format!("{whole:9.3} {own:+8.3}  {:>7}  {step}\n", std::process::id());
    let _ = rustix::io::write(&trace.file, line.as_bytes());
}

fn now() -> u64 {
    clock::since_epoch().as_nanos() as u64
}
