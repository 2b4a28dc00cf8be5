//! `state`: the standard's document of one container, and what runc and crun say beside it.

use super::list::Row;
use crate::args::{self, Global};
use crate::cgroup;
use crate::failure::{During, Step};
use crate::state::Saved;

pub fn state(global: Global) -> Step<u8> {
    let saved = Saved::read(&global.root, &args::id_alone(&global.rest)?)?;
    let mut row = Row::of(&saved, &global.root)?;
    // As long as its cgroup is there the kernel knows what it has killed for want of memory.
    row.oom_killed = saved.cgroup.as_deref().is_some_and(cgroup::was_oom_killed).then_some(true);
    print_json(&row)?;
    Ok(0)
}

pub fn print_json(value: &impl serde::Serialize) -> Step<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default()))
}

/// What was asked for: a full disk below it is a failure, and a reader that closed its end has what it wanted.
pub fn print(text: &str) -> Step<()> {
    use std::io::{stdout, ErrorKind, Write};
    match stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).during("output", "stdout"),
        _ => Ok(()),
    }
}
