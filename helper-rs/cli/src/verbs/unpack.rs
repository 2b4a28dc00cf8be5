//! `unpack` and `flatten`: a folder is made and opened with the ids of the caller, because inside the mapping the way to it may
//! belong to nobody; then into the mapping, then the work.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::layers::flatten::flatten_open;
use crate::layers::unpack;
use crate::userns::{self, IdMap};
use rustix::fs::{mkdir, open, Dir, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// `unpack --to DIR --idmap JSON [--single-id] [--diff-id sha256:…] [--sync] [FILE]`
pub fn unpack(global: Global) -> Step<u8> {
    let mut options = unpack::Options::default();
    let (mut to, mut map, mut file) = (None, None, None::<PathBuf>);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "to" => to = Some(PathBuf::from(given.value()?)),
                "idmap" => map = Some(IdMap::parse(&given.text()?)?),
                "single-id" => options.single_id = true,
                "diff-id" => options.diff_id = Some(given.text()?),
                "sync" => options.sync = true,
                other => return Err(args::unknown(other)),
            },
            Argument::Operand(path) if file.is_none() => file = Some(path.into()),
            Argument::Operand(path) => return Err(args::surplus(&path)),
        }
    }
    let (to, map) = (args::required(to, "--to")?, args::required(map, "--idmap")?);
    let layer: File = match file {
        Some(path) if path.as_os_str() != "-" => File::open(&path).during("unpack", path.display())?,
        _ => rustix::stdio::stdin().try_clone_to_owned().during("unpack", "stdin")?.into(),
    };
    let folder = enter_with(&to, &map, "unpack")?;
    let summary = unpack::unpack(layer, folder, &options)?;
    let line = serde_json::to_string(&summary).map_err(|error| Failure::because("unpack", error.to_string()))?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).during("unpack", "stdout")?;
    Ok(0)
}

/// `flatten --to DIR --idmap JSON LOWER…`
pub fn flatten(global: Global) -> Step<u8> {
    let (mut to, mut map, mut lower) = (None, None, Vec::<PathBuf>::new());
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "to" => to = Some(PathBuf::from(given.value()?)),
            Argument::Option(name) if name == "idmap" => map = Some(IdMap::parse(&given.text()?)?),
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(path) => lower.push(path.into()),
        }
    }
    let (to, map) = (args::required(to, "--to")?, args::required(map, "--idmap")?);
    let folder = |path: &PathBuf| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(path, flags, Mode::empty()).during("copy", path.display())
    };
    let lower = lower.iter().map(folder).collect::<Step<Vec<_>>>()?;
    flatten_open(lower, enter_with(&to, &map, "copy")?)?;
    Ok(0)
}

/// Makes the folder, then enters the mapping, whose root it belongs to.
fn enter_with(to: &Path, map: &IdMap, step: &'static str) -> Step<OwnedFd> {
    let folder = new_folder(to, step)?;
    userns::give(map, &[to])?;
    userns::enter(map, 0)?;
    Ok(folder)
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
