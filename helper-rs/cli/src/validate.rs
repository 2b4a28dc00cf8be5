//! `validate KIND [FILE]`: a JSON array of problems on stdout. Native and wasm32-wasip1.

use rootless_core::validate::{validate, Problem, KINDS};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};

const VALID: u8 = 0;
const INVALID: u8 = 1;
const USAGE: u8 = 2;

/// Larger documents are not read: the image-spec's registries stop at 4 MiB.
const LIMIT: u64 = 64 << 20;

/// Checks FILE, or stdin without FILE (or with `-`). Exit: 0 no error, 1 errors, 2 usage or unreadable.
pub fn run(args: &[OsString]) -> u8 {
    match check(args) {
        Ok(problems) => report(&problems),
        Err(message) => {
            eprintln!("rootless-helper: validate: {message}");
            USAGE
        }
    }
}

fn check(args: &[OsString]) -> Result<Vec<Problem>, String> {
    let (kind, file) = match args {
        [kind] => (kind, None),
        [kind, file] => (kind, Some(file.as_os_str()).filter(|file| *file != OsStr::new("-"))),
        _ => return Err(format!("usage: validate {} [FILE]", KINDS.join("|"))),
    };
    let kind = kind.to_string_lossy();
    if !KINDS.contains(&&*kind) {
        return Err(format!("unknown kind {kind:?}: {}", KINDS.join(", ")));
    }
    let text = read(file)?;
    validate(&kind, &text).map_err(|unknown| format!("unknown kind {:?}", unknown.0))
}

/// Bytes that are not UTF-8 become replacement characters: the validator then names their place.
fn read(file: Option<&OsStr>) -> Result<String, String> {
    let mut bytes = Vec::new();
    let outcome = match file {
        Some(path) => std::fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)),
        None => io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes),
    };
    let name = file.map_or_else(|| "stdin".into(), OsStr::to_string_lossy);
    outcome.map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("{name} is larger than {LIMIT} bytes"));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn report(problems: &[Problem]) -> u8 {
    let written = serde_json::to_string(problems).map(|text| writeln!(io::stdout(), "{text}"));
    match written {
        Ok(Ok(())) if problems.iter().any(Problem::is_error) => INVALID,
        Ok(Ok(())) => VALID,
        _ => USAGE,
    }
}
