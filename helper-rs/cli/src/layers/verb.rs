//! `layer ls|check|ids|plain`: what a layer holds, whether it is sound, whose its files are, and its bytes inflated.

use super::check::{self, Level};
use super::{decode, list, used};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// `layer ls|check|ids|plain [FILE]`: lines of JSON on stdout, or the inflated bytes. Exit 0: all well, 1: an error was found, 2: usage.
pub fn layer_verb(args: &[OsString]) -> u8 {
    let file = args.get(1).filter(|file| *file != "-");
    let input: Box<dyn io::Read + Send> = match file.map(File::open) {
        None => Box::new(io::stdin()),
        Some(Ok(file)) => Box::new(file),
        Some(Err(error)) => return complain(&error, 2),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut print = |line: String| writeln!(out, "{line}");
    let mut errors = 0;
    let done = match (args.first().and_then(|what| what.to_str()), args.len()) {
        (Some("ls"), 1..=2) => match list::list(input, &mut print) {
            Err(rootless_core::tar::TarError::Read(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => {
                errors = 1;
                complain(&error, 1);
                Ok(())
            }
            Ok(()) => Ok(()),
        },
        (Some("check"), 1..=2) => check::check(input, &mut |problem| {
            errors += u64::from(problem.level == Level::Error);
            print(problem.to_json())
        }),
        (Some("ids"), 1..=2) => match used::used(input) {
            Ok(used) => print(serde_json::json!(used).to_string()),
            Err(error) => return complain(&error, 1),
        },
        (Some("plain"), 1..=2) => {
            return match plain(input) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => complain(&error, 1),
                _ => 0,
            }
        }
        _ => return complain(&"usage: layer ls|check|ids|plain [FILE]", 2),
    };
    match done.and_then(|()| out.flush()) {
        // The reader of our output has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => complain(&error, 2),
        _ => u8::from(errors > 0),
    }
}

/// The inflated bytes, up to a limit that no table of contents and no document needs.
fn plain(input: Box<dyn io::Read + Send>) -> io::Result<()> {
    const MOST: u64 = 256 << 20;
    let mut limited = io::Read::take(decode::decoder(input)?, MOST + 1);
    match io::copy(&mut limited, &mut io::stdout().lock())? {
        count if count > MOST => Err(io::Error::other("more than 256 MiB come out")),
        _ => Ok(()),
    }
}

fn complain(what: &dyn std::fmt::Display, exit: u8) -> u8 {
    eprintln!("rootless-helper: layer: {what}");
    exit
}
