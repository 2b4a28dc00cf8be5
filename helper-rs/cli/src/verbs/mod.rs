//! One file a verb: options, then calls. The standard's verbs are in runtime.md "Operations", ours in docs/contract.md.

#[cfg(feature = "layers")]
mod archive;
mod create;
mod delete;
#[cfg(not(feature = "layers"))]
mod elsewhere;
mod events;
mod exec;
mod features;
mod flags;
pub mod front;
mod help;
mod kill;
mod list;
mod log;
mod mount;
mod network;
#[cfg(feature = "layers")]
mod pack;
mod probe;
mod remove;
#[cfg(feature = "layers")]
mod repack;
mod resources;
mod run;
mod session;
mod spec;
mod start;
mod state;
#[cfg(feature = "layers")]
mod unpack;
mod unshare;
#[cfg(feature = "layers")]
mod volume;
#[cfg(feature = "layers")]
mod volume_tar;

use crate::args::{self, Global};
use crate::failure::{Failure, Step};

/// What is left of a verb when its beginning is over.
pub enum Rest {
    /// Nothing but the exit code.
    Done(u8),
    Stay(Box<run::Stay>),
}

impl Rest {
    pub fn finish(self) -> Step<u8> {
        match self {
            Rest::Done(code) => Ok(code),
            Rest::Stay(stay) => stay.finish(),
        }
    }
}

/// Runs the verb; answers the exit code.
pub fn run(global: Global) -> Step<u8> {
    begin(global)?.finish()
}

/// For a caller with little on its stack: what stays with a container for long does not stand on the beginning's.
#[inline(never)]
pub fn begin(global: Global) -> Step<Rest> {
    match global.verb.as_str() {
        "run" if !args::asks_for_help(&global) => run::run(global),
        _ => end_at_once(global).map(Rest::Done),
    }
}

fn end_at_once(global: Global) -> Step<u8> {
    if args::asks_for_help(&global) {
        return help::of_verb(&global.verb);
    }
    match global.verb.as_str() {
        "create" => create::create(global),
        "start" => start::start(global),
        "state" => state::state(global),
        "kill" => kill::kill(global),
        "delete" => delete::delete(global),
        "exec" => exec::exec(global),
        "list" => list::list(global),
        "log" => log::log(global),
        "session" => session::session(global),
        "ps" => list::ps(global),
        "pause" => resources::pause(global, true),
        "resume" => resources::pause(global, false),
        "update" => resources::update(global),
        "events" => events::events(global),
        "features" => features::features(&global),
        "spec" => spec::spec(global),
        "remove" => remove::remove(global),
        "mount" => mount::mount(global),
        "network" => network::network(global),
        "unmount" => mount::unmount(global),
        "front" => front::front(&global),
        "unshare" => unshare::unshare(global),
        "probe" => probe::probe(global),
        "checkpoint" | "restore" => Err(Failure::because("args", "checkpoint and restore are not supported")),
        "version" => features::version(),
        "help" => help::all(),
        _ => of_layers(global),
    }
}

/// What is there with the feature `layers`.
#[cfg(feature = "layers")]
fn of_layers(global: Global) -> Step<u8> {
    match global.verb.as_str() {
        "validate" => Ok(crate::validate::run(&global.rest)),
        "layer" => Ok(crate::layers::layer_verb(&global.rest)),
        "unpack" => unpack::unpack(global),
        "flatten" => unpack::flatten(global),
        "changes" => pack::changes(global),
        "pack" => pack::pack(global),
        "repack" => repack::repack(global),
        "archive" => archive::archive(global),
        "fill" => volume::fill(global),
        "export" => volume_tar::export(global),
        "import" => volume_tar::import(global),
        "remap" => volume::remap(global),
        other => Err(Failure::because("args", "unknown verb").on(other)),
    }
}

/// Without it there is a second program beside this one, which has it.
#[cfg(not(feature = "layers"))]
fn of_layers(global: Global) -> Step<u8> {
    elsewhere::run(&global)
}
