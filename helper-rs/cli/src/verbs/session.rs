//! `session`: attach to a container's program or run one more in it, by its monitor.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::keys::DetachKeys;
use crate::session::{self, End, Manner};
use rustix::fd::OwnedFd;
use serde_json::{json, Value};
use std::cell::Cell;
use std::io::Read;

pub fn session(global: Global) -> Step<u8> {
    let (mut id, mut request, mut front) = (None, None, false);
    let mut manner = Manner { keys: DetachKeys::default(), stdin: true, sig_proxy: false, caller: None };
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
            Argument::Option(name) => match name.as_str() {
                "request" => request = Some(given.text()?),
                "request-fd" => request = Some(read(args::fd(given.number()?)?)?),
                "detach-keys" => manner.keys = DetachKeys::parse(&given.text()?)?,
                "front" => front = true,
                "no-stdin" => manner.stdin = false,
                "sig-proxy" => manner.sig_proxy = true,
                other => return Err(args::unknown(other)),
            },
        }
    }
    let id = args::required(id, "container id")?;
    let request = args::required(request, "--request")?;
    let request: Value =
        serde_json::from_str(&request).map_err(|error| Failure::because("args", error.to_string()).on("request"))?;
    // The command line of a front may end as soon as it knows that it is not needed to explain.
    manner.caller = global.reporter.copy_of_events().filter(|_| !front);
    let begun = Cell::new(false);
    let result = session::open(&global.root, &id, request, &manner, || {
        begun.set(true);
        global.reporter.event(&json!({ "event": "running" }));
    });
    Ok(match result {
        // The command line, which has the words, is gone by now.
        Err(failure) if front && begun.get() => {
            eprintln!("rootless: lost the connection to the container: {failure}");
            failure.exit
        }
        Err(failure) => return Err(failure),
        Ok(end) if !begun.get() => {
            // The command line waits for a word.
            global.reporter.event(&json!({ "event": "exit", "code": code_of(&global, end) }));
            code_of(&global, end)
        }
        Ok(end) => code_of(&global, end),
    })
}

fn code_of(global: &Global, end: End) -> u8 {
    match end {
        End::Code(code) => code,
        End::Detached => {
            // The caller's terminal is as it was.
            crate::terminal::end_line();
            global.reporter.event(&json!({ "event": "detached" }));
            0
        }
        End::Signal(number) => 128 + number as u8,
    }
}

/// The environment of a program is in its request, and a command line is everybody's to read.
fn read(fd: OwnedFd) -> Step<String> {
    let mut text = String::new();
    std::fs::File::from(fd).read_to_string(&mut text).during("args", "--request-fd")?;
    Ok(text)
}
