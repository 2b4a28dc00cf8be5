//! The options that `create` and `run` have in common, as runc and crun spell them.

use crate::args::Options;
use crate::failure::Step;
use crate::launch::LaunchOptions;
use crate::plan::Plan;
use std::path::{Path, PathBuf};

/// Where the configuration is.
#[derive(Default)]
pub struct Place {
    pub bundle: Option<PathBuf>,
    /// In place of the bundle's config.json.
    pub config: Option<PathBuf>,
}

impl Place {
    pub fn bundle(&self) -> &Path {
        self.bundle.as_deref().unwrap_or(Path::new("."))
    }

    /// A relative name is one of the bundle.
    pub fn config(&self) -> PathBuf {
        self.bundle().join(self.config.as_deref().unwrap_or(Path::new("config.json")))
    }
}

/// True if the option is one of them.
pub fn take(name: &str, given: &mut Options, place: &mut Place, launch: &mut LaunchOptions) -> Step<bool> {
    match name {
        "bundle" | "b" => place.bundle = Some(given.value()?.into()),
        "config" | "f" => place.config = Some(given.value()?.into()),
        "pid-file" => launch.pid_file = Some(given.value()?.into()),
        "console-socket" => launch.console_socket = Some(given.value()?.into()),
        "pidfd-socket" => launch.pidfd_socket = Some(given.value()?.into()),
        "preserve-fds" => launch.preserve_fds = given.number()?,
        "no-pivot" => launch.no_pivot = true,
        "no-new-keyring" => launch.keep_keyring = true,
        // Nothing is left for a subreaper here: the engine is one, or pid 1 of the container is.
        "no-subreaper" => {}
        _ => return Ok(false),
    }
    Ok(true)
}

/// Sockets that systemd opened for the runtime (sd_listen_fds(3)) are the container's, whose first process is pid 1.
pub fn pass_listeners(plan: &mut Plan, launch: &mut LaunchOptions) {
    let count = listeners();
    if count == 0 {
        return;
    }
    launch.preserve_fds += count;
    let env = &mut plan.process.env;
    env.push(format!("LISTEN_FDS={count}"));
    env.push("LISTEN_PID=1".to_string());
    env.extend(std::env::var("LISTEN_FDNAMES").map(|names| format!("LISTEN_FDNAMES={names}")));
}

/// How many there are, from descriptor 3 on.
pub fn listeners() -> u32 {
    std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse().ok()).unwrap_or(0)
}
