//! `remove`: deletes trees as mapped ids. What the caller names is opened with the ids of the caller, because inside the mapping it
//! may belong to nobody; then into the mapping, then the work.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{Failure, Step};
use crate::layers::remove::remove_at;
use crate::userns::{self, IdMap};
use rustix::fs::{open, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// `remove --idmap JSON PATH…`
pub fn remove(global: Global) -> Step<u8> {
    let (mut map, mut paths) = (None, Vec::<PathBuf>::new());
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "idmap" => map = Some(IdMap::parse(&given.text()?)?),
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(path) => paths.push(path.into()),
        }
    }
    let map = args::required(map, "--idmap")?;
    let mut opened = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        match Above::of(path, "remove") {
            Ok(above) => opened.push((index, above)),
            // What is not there is gone already.
            Err(failure) if failure.errno == Some(Errno::NOENT.raw_os_error()) => {}
            Err(failure) => return Err(failure.at(index)),
        }
    }
    userns::enter_with_caller(&map, 0)?;
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
