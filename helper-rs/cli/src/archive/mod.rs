//! Files in and out of a container, running or not, and of this machine: as tar streams, and what a path is.

pub mod paths;
pub mod stand;

use crate::failure::{Failure, Step};
use crate::layers::pack::{add_top, At, Scope, Style, Tarball, Walk};
use crate::layers::unpack::{self, Owner, Policy};
use crate::userns::IdMap;
use paths::{FOLDER, PATH};
use rustix::fs::{fstat, FileType, OFlags};
use rustix::io::Errno;
use serde_json::{json, Value};
use stand::Stand;
use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::AsFd;

pub const STEP: &str = "archive";

/// How `get` writes.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The name of what is copied, in the archive; `.` for what is in a folder, empty for the same without the folder itself.
    pub name: String,
    /// Without what is mounted in the container.
    pub one_filesystem: bool,
    pub sparse: bool,
    /// Tells the owners as a container of this map has them.
    pub ids: Option<IdMap>,
}

/// Writes a tar of what `path` names, itself not followed if it is a symbolic link.
pub fn get(stand: &Stand, path: &str, wish: &Wish, out: impl Write) -> Step<()> {
    let fail = |errno: Errno| Failure::new(STEP).on(path).errno(errno);
    let style = Style {
        single_id: stand.single_id,
        sparse: wish.sparse,
        one_filesystem: wish.one_filesystem,
        ids: wish.ids.clone(),
        ..Style::default()
    };
    let (parent, name) = paths::split(&stand.root, path.as_bytes()).map_err(fail)?;
    let top = paths::open_in(&parent, &name, PATH | OFlags::NOFOLLOW).map_err(fail)?;
    let stat = fstat(&top).map_err(fail)?;
    let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let prefix = if wish.name.is_empty() { Vec::new() } else { [wish.name.as_bytes(), b"/"].concat() };
    let mut tar = Tarball::new(out, style, if folder { prefix } else { Vec::new() });
    if folder {
        let top = paths::open_in(&top, b".", FOLDER).map_err(fail)?;
        if !wish.name.is_empty() {
            add_top(&mut tar, &top, wish.name.clone().into_bytes())?;
        }
        let scope = Scope::all(wish.one_filesystem);
        Walk { top: &top, lowers: &Vec::new(), scope: &scope, visitor: &mut tar }.run()?;
    } else {
        let name = CString::new(name).map_err(|_| fail(Errno::INVAL))?;
        let at = At { folder: parent.as_fd(), name: &name, path: path.as_bytes(), stat: &stat };
        tar.add(&at, wish.name.clone().into_bytes())?;
    }
    tar.finish().map(drop)
}

/// Copies the entries of a tar stream into the folder that `path` names, through symbolic links; answers what was done.
pub fn put(stand: &Stand, path: &str, owner: Owner, harmless: bool, from: impl Read) -> Step<Value> {
    let fail = |errno: Errno| Failure::new(STEP).on(path).errno(errno);
    let target = paths::resolve(&stand.root, path.as_bytes()).map_err(fail)?;
    let folder = paths::open_in(&stand.root, &target, FOLDER).map_err(fail)?;
    let policy = Policy { single_id: stand.single_id, copy: true, root: false, base: target, owner, harmless };
    // On this machine the folder itself is the root: a link in the archive must not lead to other files of the caller's.
    let (root, policy) = match stand.local {
        true => (folder, Policy { base: Vec::new(), ..policy }),
        false => (paths::open_in(&stand.root, b".", FOLDER).map_err(fail)?, policy),
    };
    let (summary, bytes) =
        unpack::put(from, root, policy).map_err(|failure| Failure { step: STEP.into(), ..failure })?;
    let mut told = serde_json::to_value(summary).unwrap_or_default();
    told["bytes"] = bytes.into();
    Ok(told)
}

/// What a path is: itself, and what it leads to if it is a symbolic link. `null` where nothing is.
pub fn stat(stand: &Stand, path: &str) -> Step<Value> {
    let fail = |errno: Errno| Failure::new(STEP).on(path).errno(errno);
    let itself = match paths::split(&stand.root, path.as_bytes()).and_then(|(parent, name)| {
        let fd = paths::open_in(&parent, &name, PATH | OFlags::NOFOLLOW)?;
        Ok((fstat(&fd)?, (parent, name)))
    }) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Value::Null),
        result => result.map_err(fail)?,
    };
    let (stat, (parent, name)) = itself;
    let mut told = paths::facts(&stat);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        let link = rustix::fs::readlinkat(&parent, name.as_slice(), Vec::new()).map_err(fail)?;
        told["link"] = json!(String::from_utf8_lossy(link.as_bytes()));
        if let Ok(target) = paths::resolve(&stand.root, path.as_bytes()) {
            told["target"] = json!(format!("/{}", String::from_utf8_lossy(&target)));
            let found = paths::open_in(&stand.root, &target, PATH).and_then(|fd| fstat(&fd));
            told["leadsTo"] = found.map_or(Value::Null, |stat| paths::facts(&stat));
        }
    }
    Ok(told)
}
