//! `network`: the holder itself, and what is changed and asked of networks while containers run.

use super::state::print;
use crate::args::{self, Argument, Global, Options};
use crate::failure::{Failure, Step};
use crate::network;
use crate::session;
use serde_json::{json, Value};
use std::io::Read;
use std::path::PathBuf;

pub fn network(global: Global) -> Step<u8> {
    let mut given = Options::new(&global.rest);
    let what = match given.next()? {
        Some(Argument::Operand(what)) => what.to_string_lossy().into_owned(),
        _ => return Err(Failure::because("args", "serve, attach, detach, uplink or state is missing")),
    };
    match what.as_str() {
        "serve" => serve(given),
        "state" => state(given),
        "attach" => attach(&global, given),
        "detach" => detach(&global, given),
        "uplink" => uplink(&global, given),
        other => Err(Failure::because("args", "unknown operation").on(other)),
    }
}

fn serve(mut given: Options) -> Step<u8> {
    let (mut directory, mut ready, mut room, mut has_userns) = (None, None, None, false);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "directory" => directory = Some(PathBuf::from(given.value()?)),
                "ready-fd" => ready = Some(args::fd(given.number()?)?),
                "room-fd" => room = Some(args::fd(given.number()?)?),
                "userns" => has_userns = true,
                other => return Err(args::unknown(other)),
            },
            Argument::Operand(operand) => return Err(args::surplus(&operand)),
        }
    }
    let ready = args::required(ready, "--ready-fd")?;
    let directory = args::required(directory, "--directory")?;
    network::serve(&directory, has_userns, room, ready).map(|()| 0)
}

fn state(mut given: Options) -> Step<u8> {
    let mut directory = None;
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "directory" => directory = Some(PathBuf::from(given.value()?)),
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(operand) => return Err(args::surplus(&operand)),
        }
    }
    print(&format!("{}\n", network::state(&args::required(directory, "--directory")?)?)).map(|()| 0)
}

/// The attachment comes on standard input.
fn attach(global: &Global, given: Options) -> Step<u8> {
    let id = args::id_alone_of(given)?;
    let entry = read_input()?;
    session::ask(&global.root, &id, &json!({ "op": "network", "attach": entry })).map(|_| 0)
}

/// The words of what serves it come on standard input; none end it.
fn uplink(global: &Global, given: Options) -> Step<u8> {
    let id = args::id_alone_of(given)?;
    let companion = read_input()?;
    session::ask(&global.root, &id, &json!({ "op": "network", "companion": companion })).map(|_| 0)
}

fn read_input() -> Step<Value> {
    let wrong = |error: String| Failure::because("args", error).on("stdin");
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn detach(global: &Global, mut given: Options) -> Step<u8> {
    let (mut id, mut network) = (None, None);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) if id.is_none() => args::only_id(&mut id, operand)?,
            Argument::Operand(operand) => args::only_id(&mut network, operand)?,
            Argument::Option(name) => return Err(args::unknown(&name)),
        }
    }
    let (id, network) = (args::required(id, "container id")?, args::required(network, "network id")?);
    session::ask(&global.root, &id, &json!({ "op": "network", "detach": network })).map(|_| 0)
}
