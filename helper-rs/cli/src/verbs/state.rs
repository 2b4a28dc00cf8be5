//! `state`: the standard's document of one container.

use crate::args::{self, Global};
use crate::cgroup;
use crate::failure::Step;
use crate::state::Saved;

pub fn state(global: Global) -> Step<u8> {
    let saved = Saved::read(&global.root, &args::id_alone(&global.rest)?)?;
    let mut document = serde_json::to_value(saved.standard(&global.root)).unwrap_or_default();
    // As long as its cgroup is there the kernel knows what it has killed for want of memory.
    if saved.cgroup.as_deref().is_some_and(cgroup::was_oom_killed) {
        document["oomKilled"] = true.into();
    }
    print_json(&document)?;
    Ok(0)
}

pub fn print_json(value: &impl serde::Serialize) -> Step<()> {
    use std::io::Write;
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    // A reader that closed its end has what it wanted.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}
