//! `state`: the standard's document of one container, and what runc and crun say beside it.

use super::list::Row;
use crate::args::{self, Global};
use crate::cgroup;
use crate::failure::Step;
use crate::state::Saved;

pub fn state(global: Global) -> Step<u8> {
    let saved = Saved::read(&global.root, &args::id_alone(&global.rest)?)?;
    let mut row = Row::of(&saved, &global.root);
    // As long as its cgroup is there the kernel knows what it has killed for want of memory.
    row.oom_killed = saved.cgroup.as_deref().is_some_and(cgroup::was_oom_killed).then_some(true);
    print_json(&row)?;
    Ok(0)
}

pub fn print_json(value: &impl serde::Serialize) -> Step<()> {
    use std::io::Write;
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    // A reader that closed its end has what it wanted.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}
