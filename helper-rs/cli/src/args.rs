//! The helper's command line: global options, the verb, and one small parser for the verbs' options.

use crate::ahead::Ahead;
use crate::failure::{During, Failure, Step};
use crate::report::Reporter;
use crate::timing;
use lexopt::prelude::*;
use rustix::fd::{OwnedFd, RawFd};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What stands before the verb, and the rest.
pub struct Global {
    pub root: PathBuf,
    pub reporter: Reporter,
    /// `--cgroup-manager disabled`: no cgroup is made, whatever the configuration names.
    pub no_cgroup: bool,
    /// `--root` was said.
    pub root_given: bool,
    pub verb: String,
    pub rest: Vec<OsString>,
    /// `--systemd-cgroup`.
    pub systemd: bool,
    /// What `front` has begun for a `run`.
    pub ahead: Option<Ahead>,
}

/// Parses our own command line up to and including the verb.
pub fn global() -> Step<Global> {
    parse_global(lexopt::Parser::from_env())
}

/// The same for arguments that came another way.
pub fn global_of(args: impl Iterator<Item = OsString>) -> Step<Global> {
    parse_global(lexopt::Parser::from_args(args))
}

fn parse_global(mut parser: lexopt::Parser) -> Step<Global> {
    let mut reporter = Reporter::default();
    let (mut root, mut no_cgroup, mut systemd) = (None, false, false);
    let verb = loop {
        match parser.next().map_err(usage)? {
            Some(Long("root")) => root = Some(PathBuf::from(parser.value().map_err(usage)?)),
            Some(Long("log")) => reporter.log = Some(log_file(&parser.value().map_err(usage)?)?),
            Some(Long("log-format")) => reporter.json_log = is_json(&parser.value().map_err(usage)?)?,
            Some(Long("events-fd")) => reporter.events = Some(Rc::new(fd(number(&mut parser)?)?)),
            Some(Long("debug")) => reporter.debug = true,
            Some(Long("timing")) => timing::begin(Path::new(&parser.value().map_err(usage)?))?,
            Some(Long("rootless" | "log-level")) => drop(parser.value().map_err(usage)?),
            Some(Long("systemd-cgroup")) => systemd = parser.optional_value().is_none_or(|value| value != "false"),
            Some(Long("cgroup-manager")) => (no_cgroup, systemd) = manager(&parser.value().map_err(usage)?)?,
            Some(Long("version") | Short('v' | 'V')) => break "version".into(),
            Some(Long("help") | Short('h')) => break "help".into(),
            Some(Value(verb)) => break verb.to_string_lossy().into_owned(),
            Some(other) => return Err(usage(other.unexpected())),
            None => break "help".into(),
        }
    };
    if let Some(path) = reporter.log.clone() {
        let open = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        if let Err(error) = open {
            // Nothing could be said there.
            reporter.log = None;
            return Err(error).during("args", path.display());
        }
    }
    let rest = parser.raw_args().map(Iterator::collect).unwrap_or_default();
    let root_given = root.is_some();
    Ok(Global {
        root: root.unwrap_or_else(default_root),
        reporter,
        no_cgroup,
        root_given,
        systemd,
        verb,
        rest,
        ahead: None,
    })
}

/// `VERB --help`, said before any operand.
pub fn asks_for_help(global: &Global) -> bool {
    let options = global.rest.iter().take_while(|arg| arg.as_encoded_bytes().starts_with(b"-") && *arg != "--");
    options.into_iter().any(|arg| arg == "--help" || arg == "-h")
}

/// Engines know the codes of runc and crun: 1, and 255 for `exec`. With events the code says more (docs/contract.md).
pub fn code_of_own_failure(global: &Global) -> Option<u8> {
    let standard = [
        "checkpoint",
        "restore",
        "features",
        "spec",
        "create",
        "start",
        "run",
        "state",
        "kill",
        "delete",
        "list",
        "ps",
        "pause",
        "resume",
        "update",
        "events",
    ];
    match global.verb.as_str() {
        _ if global.reporter.events.is_some() => None,
        "exec" => Some(255),
        verb => standard.contains(&verb).then_some(1),
    }
}

fn is_json(format: &OsStr) -> Step<bool> {
    match format.to_str() {
        Some("json") => Ok(true),
        Some("text") => Ok(false),
        _ => Err(Failure::because("args", "a log is text or json").on(format.to_string_lossy())),
    }
}

/// crun's: whether there is to be no cgroup, and whether systemd makes it.
fn manager(name: &OsStr) -> Step<(bool, bool)> {
    match name.to_str() {
        Some("cgroupfs") => Ok((false, false)),
        Some("disabled") => Ok((true, false)),
        Some("systemd") => Ok((false, true)),
        _ => Err(Failure::because("args", "unknown cgroup manager").on(name.to_string_lossy())),
    }
}

/// `PATH` or `file:PATH`, as crun has it.
fn log_file(value: &OsStr) -> Step<PathBuf> {
    let text = value.to_string_lossy();
    match text.split_once(':') {
        Some(("file", path)) => Ok(PathBuf::from(path)),
        Some(("journald" | "syslog", _)) => {
            Err(Failure::because("args", "only a file can be the log of the runtime").on(text))
        }
        _ => Ok(PathBuf::from(value)),
    }
}

/// Where state is kept when the caller names no folder: as with runc and crun the session's folder, for the root of a user
/// namespace too. Engines that start a runtime without `--root` rely on it.
fn default_root() -> PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    let session = PathBuf::from(format!("/run/user/{uid}"));
    let named = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let is_host_root = uid == 0 && crate::userns::is_initial();
    if is_host_root {
        PathBuf::from("/run/rootless-helper")
    } else if let Some(folder) = named {
        folder.join("rootless-helper")
    } else if session.is_dir() {
        session.join("rootless-helper")
    } else {
        PathBuf::from(format!("/tmp/rootless-helper-{uid}"))
    }
}

pub fn usage(error: lexopt::Error) -> Failure {
    Failure::because("args", error.to_string())
}

fn number(parser: &mut lexopt::Parser) -> Step<RawFd> {
    parser.value().and_then(|value| value.parse()).map_err(usage)
}

/// A descriptor that the caller passed by number; close-on-exec from here on.
pub fn fd(number: RawFd) -> Step<OwnedFd> {
    // A number that is not open is found out here, not at its first use.
    crate::sys::process::adopt(number).during("args", format!("fd {number}"))
}

/// Options and operands of one verb.
pub struct Options {
    parser: lexopt::Parser,
}

/// One argument of a verb.
pub enum Argument {
    /// `--name` or `-n`.
    Option(String),
    Operand(OsString),
}

impl Options {
    pub fn new(rest: &[OsString]) -> Options {
        Options { parser: lexopt::Parser::from_args(rest.iter().cloned()) }
    }

    pub fn next(&mut self) -> Step<Option<Argument>> {
        Ok(match self.parser.next().map_err(usage)? {
            Some(Long(name)) => Some(Argument::Option(name.to_string())),
            Some(Short(name)) => Some(Argument::Option(name.to_string())),
            Some(Value(value)) => Some(Argument::Operand(value)),
            None => None,
        })
    }

    pub fn value(&mut self) -> Step<OsString> {
        self.parser.value().map_err(usage)
    }

    pub fn text(&mut self) -> Step<String> {
        self.value()?.into_string().map_err(|_| Failure::because("args", "not UTF-8"))
    }

    pub fn number<T: std::str::FromStr>(&mut self) -> Step<T> {
        let text = self.text()?;
        text.parse().map_err(|_| Failure::because("args", "not a number").on(text))
    }

    /// All that is left, unparsed.
    pub fn rest(&mut self) -> Vec<OsString> {
        self.parser.raw_args().map(Iterator::collect).unwrap_or_default()
    }
}

pub fn unknown(option: &str) -> Failure {
    Failure::because("args", "unknown option").on(option)
}

pub fn surplus(operand: &OsStr) -> Failure {
    Failure::because("args", "unexpected argument").on(operand.to_string_lossy())
}

/// The whole command line of a verb that takes a container id and nothing else.
pub fn id_alone(rest: &[OsString]) -> Step<String> {
    id_alone_of(Options::new(rest))
}

/// The same of what is left.
pub fn id_alone_of(mut given: Options) -> Step<String> {
    let mut id = None;
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Operand(operand) => only_id(&mut id, operand)?,
            Argument::Option(name) => return Err(unknown(&name)),
        }
    }
    required(id, "container id")
}

/// The one operand that is a container id.
pub fn only_id(id: &mut Option<String>, operand: OsString) -> Step<()> {
    let text = operand.into_string().map_err(|_| Failure::because("args", "not UTF-8"))?;
    match id.replace(text) {
        None => Ok(()),
        Some(_) => Err(Failure::because("args", "more than one container id")),
    }
}

pub fn required<T>(value: Option<T>, what: &str) -> Step<T> {
    value.ok_or_else(|| Failure::because("args", format!("{what} is missing")))
}
