//! Verbs that work inside an id mapping: `unpack`, `flatten`, `remove`, `unshare`.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{Failure, Step};
use crate::layers::verbs;
use crate::userns::{self, IdMap};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;

fn enter(json: &str) -> Step<()> {
    userns::enter(&IdMap::parse(json)?, 0)
}

pub fn unpack(global: Global) -> Step<u8> {
    verbs::unpack_verb(&global.rest, &mut enter)
}

pub fn flatten(global: Global) -> Step<u8> {
    verbs::flatten_verb(&global.rest, &mut enter)
}

pub fn remove(global: Global) -> Step<u8> {
    verbs::remove_verb(&global.rest, &mut |json| userns::enter_to_remove(&IdMap::parse(json)?))
}

/// Runs a program in a user and a mount namespace with the mapping: files look there as a container sees them.
pub fn unshare(global: Global) -> Step<u8> {
    let (mut map, mut command): (Option<IdMap>, Vec<OsString>) = (None, Vec::new());
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "idmap" => map = Some(IdMap::parse(&given.text()?)?),
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(program) => {
                command.push(program);
                command.extend(given.rest());
                break;
            }
        }
    }
    let name = args::required(command.first(), "program")?.to_string_lossy().into_owned();
    userns::enter(&args::required(map, "--idmap")?, libc::CLONE_NEWNS)?;
    let c = |text: OsString| CString::new(text.into_vec()).unwrap_or_default();
    let env: Vec<CString> = std::env::vars_os()
        .map(|(mut key, value)| {
            key.push("=");
            key.push(value);
            c(key)
        })
        .collect();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
    let folders: Vec<&str> = if name.contains('/') { vec![""] } else { path.split(':').collect() };
    let command: Vec<CString> = command.into_iter().map(c).collect();
    let mut errno = rustix::io::Errno::NOENT;
    for folder in folders {
        let file = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        match crate::sys::exec::exec(&CString::new(file).unwrap_or_default(), &command, &env) {
            rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => {}
            other => errno = other,
        }
    }
    let exit = if errno == rustix::io::Errno::NOENT { 127 } else { 126 };
    Err(Failure::new("exec").errno(errno).on(name).exit(exit))
}
