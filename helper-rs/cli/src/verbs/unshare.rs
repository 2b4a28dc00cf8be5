//! `unshare`: a program in a user and a mount namespace with the mapping; files look there as a container sees them.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{Failure, Step};
use crate::sys::exec;
use crate::userns::{self, IdMap};
use std::ffi::{CString, OsString};

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
    let env = exec::own_environment();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
    let folders: Vec<&str> = if name.contains('/') { vec![""] } else { path.split(':').collect() };
    let command: Vec<CString> = command.into_iter().map(exec::c).collect();
    let mut errno = rustix::io::Errno::NOENT;
    for folder in folders {
        let file = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        match exec::exec(&CString::new(file).unwrap_or_default(), &command, &env) {
            rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => {}
            other => errno = other,
        }
    }
    let exit = if errno == rustix::io::Errno::NOENT { 127 } else { 126 };
    Err(Failure::new("exec").errno(errno).on(name).exit(exit))
}
