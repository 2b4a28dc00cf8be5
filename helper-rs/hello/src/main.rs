//! The program in the embedded image: prints what it can see of its own container, read from /proc alone.

mod capability;
mod proc;

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let now = SystemTime::now();
    let page = page(now);
    // A closed pipe is the reader's choice, not an error of ours.
    let _ = std::io::stdout().lock().write_all(page.as_bytes());
}

/// One line a fact; facts that cannot be read are left out rather than guessed.
fn page(now: SystemTime) -> String {
    let status = proc::status();
    let field = |name: &str| status.get(name).map(String::as_str).unwrap_or_default();
    let rows: [(&str, Option<String>); 9] = [
        ("user", Some(proc::user(field("Uid"), field("Gid"), field("Groups")))),
        ("ids", proc::id_map("/proc/self/uid_map")),
        ("process", Some(format!("pid {} on host name \"{}\"", std::process::id(), proc::hostname()))),
        ("namespaces", proc::namespaces()),
        ("cgroup", proc::cgroup()),
        ("capabilities", capability::names(field("CapEff"))),
        ("seccomp", Some(proc::seccomp(field("Seccomp"), field("Seccomp_filters")))),
        ("new privileges", Some(proc::no_new_privileges(field("NoNewPrivs")).to_string())),
        ("network", proc::interfaces()),
    ];
    let mut page = match milliseconds_since_enter(now) {
        Some(ms) => format!("hello from a container, {ms:.1} ms after Enter\n\n"),
        None => "hello from a container\n\n".to_string(),
    };
    for (name, value) in rows {
        let Some(value) = value else { continue };
        for (index, line) in value.lines().enumerate() {
            let label = if index == 0 { name } else { "" };
            let _ = writeln!(page, "  {label:<15} {line}");
        }
    }
    page
}

/// `ROOTLESS_STARTED_MS`: when the command line started, milliseconds since 1970 (a decimal fraction).
fn milliseconds_since_enter(now: SystemTime) -> Option<f64> {
    let started: f64 = std::env::var("ROOTLESS_STARTED_MS").ok()?.parse().ok()?;
    let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs_f64() * 1000.0;
    (started > 0.0 && now >= started).then_some(now - started)
}
