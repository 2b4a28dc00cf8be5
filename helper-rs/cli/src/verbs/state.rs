//! `state`: the standard's document of one container.

use crate::args::{self, Global};
use crate::failure::Step;
use crate::state::Saved;

pub fn state(global: Global) -> Step<u8> {
    let saved = Saved::read(&global.root, &args::id_alone(&global.rest)?)?;
    print_json(&saved.standard(&global.root))?;
    Ok(0)
}

pub fn print_json(value: &impl serde::Serialize) -> Step<()> {
    use std::io::Write;
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    // A reader that closed its end has what it wanted.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}
