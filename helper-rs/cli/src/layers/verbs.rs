//! The verbs `unpack`, `flatten` and `remove`: options read, files opened, then into the id mapping, then the work.

use super::flatten::flatten_open;
use super::remove::remove_at;
use super::unpack::{self, Options};
use crate::failure::{During, Failure, Step};
use crate::userns::{self, IdMap};
use lexopt::prelude::{Long, Value};
use rustix::fs::{mkdir, open, Dir, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Puts the process inside the mapping that the JSON describes (docs/contract.md, `--idmap`), as its root.
pub type Enter<'a> = &'a mut dyn FnMut(&str) -> Step<()>;

/// `unpack --to DIR --idmap JSON [--single-id] [--diff-id sha256:…] [--sync] [FILE]`
pub fn unpack_verb(args: &[OsString], enter: Enter<'_>) -> Step<u8> {
    let mut options = Options::default();
    let (mut to, mut idmap, mut file) = (None, None, None::<PathBuf>);
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Long("to") => to = Some(PathBuf::from(parser.value().map_err(usage)?)),
            Long("idmap") => idmap = Some(text(&mut parser)?),
            Long("single-id") => options.single_id = true,
            Long("diff-id") => options.diff_id = Some(text(&mut parser)?),
            Long("sync") => options.sync = true,
            Value(path) if file.is_none() => file = Some(path.into()),
            other => return Err(usage(other.unexpected())),
        }
    }
    let (to, idmap) = (required(to, "--to")?, required(idmap, "--idmap")?);
    // Opened with the ids of the caller: inside the mapping these files may belong to nobody.
    let layer: File = match file {
        Some(path) if path.as_os_str() != "-" => File::open(&path).during("unpack", path.display())?,
        _ => rustix::stdio::stdin().try_clone_to_owned().during("unpack", "stdin")?.into(),
    };
    let folder = new_folder(&to, "unpack")?;
    userns::give(&IdMap::parse(&idmap)?, &[&to])?;
    enter(&idmap)?;
    let summary = unpack::unpack(layer, folder, &options)?;
    let line = serde_json::to_string(&summary).map_err(|error| Failure::because("unpack", error.to_string()))?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).during("unpack", "stdout")?;
    Ok(0)
}

/// `flatten --to DIR --idmap JSON LOWER…`
pub fn flatten_verb(args: &[OsString], enter: Enter<'_>) -> Step<u8> {
    let (mut to, mut idmap, mut lower) = (None, None, Vec::<PathBuf>::new());
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Long("to") => to = Some(PathBuf::from(parser.value().map_err(usage)?)),
            Long("idmap") => idmap = Some(text(&mut parser)?),
            Value(path) => lower.push(path.into()),
            other => return Err(usage(other.unexpected())),
        }
    }
    let (to, idmap) = (required(to, "--to")?, required(idmap, "--idmap")?);
    let folder = |path: &PathBuf| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(path, flags, Mode::empty()).during("copy", path.display())
    };
    let lower = lower.iter().map(folder).collect::<Step<Vec<_>>>()?;
    let folder = new_folder(&to, "copy")?;
    userns::give(&IdMap::parse(&idmap)?, &[&to])?;
    enter(&idmap)?;
    flatten_open(lower, folder)?;
    Ok(0)
}

/// `remove --idmap JSON PATH…`
pub fn remove_verb(args: &[OsString], enter: Enter<'_>) -> Step<u8> {
    let (mut idmap, mut paths) = (None, Vec::<PathBuf>::new());
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Long("idmap") => idmap = Some(text(&mut parser)?),
            Value(path) => paths.push(path.into()),
            other => return Err(usage(other.unexpected())),
        }
    }
    let idmap = required(idmap, "--idmap")?;
    let mut opened = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        match Above::of(path, "remove") {
            Ok(above) => opened.push((index, above)),
            // What is not there is gone already.
            Err(failure) if failure.errno == Some(Errno::NOENT.raw_os_error()) => {}
            Err(failure) => return Err(failure.at(index)),
        }
    }
    enter(&idmap)?;
    for (index, above) in opened {
        remove_at(above.fd.as_fd(), &above.name).map_err(|errno| above.failure.clone().errno(errno).at(index))?;
    }
    Ok(0)
}

/// A path taken apart: its folder, opened before the mapping is entered, and its last name.
struct Above {
    fd: OwnedFd,
    name: CString,
    failure: Failure,
}

impl Above {
    fn of(path: &Path, step: &'static str) -> Step<Above> {
        let failure = Failure::new(step).on(path.display());
        let name = path.file_name().and_then(|name| CString::new(name.as_bytes()).ok());
        let name = name.ok_or_else(|| failure.clone().errno(Errno::INVAL))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = open(parent, flags, Mode::empty()).map_err(|errno| failure.clone().errno(errno))?;
        Ok(Above { fd, name, failure })
    }
}

/// Makes the folder, or takes it if it is there and empty. Before the mapping is entered: inside it, the folders above may be
/// closed to everybody.
fn new_folder(path: &Path, step: &'static str) -> Step<OwnedFd> {
    match mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(Failure::new(step).on(path.display()).errno(errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = open(path, flags, Mode::empty()).during(step, path.display())?;
    for entry in Dir::read_from(&folder).during(step, path.display())? {
        if !matches!(entry.during(step, path.display())?.file_name().to_bytes(), b"." | b"..") {
            return Err(Failure::new(step).on(path.display()).errno(Errno::NOTEMPTY));
        }
    }
    Ok(folder)
}

fn text(parser: &mut lexopt::Parser) -> Step<String> {
    let value = parser.value().map_err(usage)?;
    value.into_string().map_err(|value| usage(lexopt::Error::NonUnicodeValue(value)))
}

fn required<T>(value: Option<T>, option: &str) -> Step<T> {
    value.ok_or_else(|| Failure::because("args", format!("missing option '{option}'")))
}

fn usage(error: lexopt::Error) -> Failure {
    Failure::because("args", error.to_string())
}
