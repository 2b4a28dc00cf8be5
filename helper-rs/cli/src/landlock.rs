//! `io.rootless.landlock`: a second wall. What a hole in the first one leads to, an open folder of the host for example, lies outside
//! of the container's root, and is closed; nothing can be mounted or unmounted either.

use crate::failure::{During, Failure, Step};
use crate::inside::{self, Missing};
use crate::mounts::is_folder;
use crate::sys::landlock::Ruleset;
use rootless_core::lower::annotations::Landlock;
use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Inside the container: everything below its root is open, or with a list only what that names can be written.
pub fn enforce(wall: &Landlock) -> Step<()> {
    let rules = Ruleset::new().map_err(|errno| match errno {
        Errno::NOSYS | Errno::OPNOTSUPP => Failure::because("landlock", "this kernel has no Landlock").errno(errno),
        _ => Failure::new("landlock").errno(errno),
    })?;
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).during("landlock", "/")?;
    rules.allow(root.as_fd(), true, wall.write.is_none()).during("landlock", "/")?;
    // What no program can do without.
    let always = ["/dev", "/proc"].map(str::to_string);
    for path in wall.write.iter().flat_map(|list| list.iter().chain(&always)) {
        let open = inside::open(&root, path, Missing::Refuse, false).during("landlock", path)?;
        let folder = is_folder(&open).during("landlock", path)?;
        rules.allow(open.as_fd(), folder, true).during("landlock", path)?;
    }
    rules.enforce().during("landlock", "restrict")
}
