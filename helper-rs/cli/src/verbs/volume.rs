//! `fill`: the first content of a named volume, a copy of what the image has at the place where it is mounted.
//!
//! A volume is a folder with `_data`, and `ids` once it was filled: the id mapping that its files are stored with. Whoever
//! fills holds a lock of the folder; `_data` is made beside and renamed into place, so that no half copy is ever seen.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::launch::write_atomically;
use crate::layers::flatten::{flatten_open, locate};
use crate::layers::remove::remove_at;
use crate::userns::{self, IdMap};
use rustix::fs::{fchown, flock, mkdirat, open, openat, renameat, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

const STEP: &str = "copy";
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Fill {
    map: IdMap,
    /// Where in the layers the content is; without it there is none.
    path: Option<PathBuf>,
    /// Who has the folder if the image has none there.
    owner: (u32, u32),
    lower: Vec<PathBuf>,
}

/// `fill --volume DIR --ids TEXT --idmap JSON [--path PATH] [--owner UID:GID] LAYER…`: prints the `ids` that the volume has.
pub fn fill(global: Global) -> Step<u8> {
    let (mut volume, mut ids, mut map) = (None, None, None);
    let (mut path, mut owner, mut lower) = (None, (0, 0), Vec::new());
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "volume" => volume = Some(PathBuf::from(given.value()?)),
                "ids" => ids = Some(given.text()?),
                "idmap" => map = Some(IdMap::parse(&given.text()?)?),
                "path" => path = Some(PathBuf::from(given.value()?)),
                "owner" => owner = parse_owner(&given.text()?)?,
                other => return Err(args::unknown(other)),
            },
            Argument::Operand(layer) => lower.push(layer.into()),
        }
    }
    let volume = args::required(volume, "--volume")?;
    let ids = args::required(ids, "--ids")?;
    let work = Fill { map: args::required(map, "--idmap")?, path, owner, lower };
    let ids = work.once(&volume, &ids)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{ids}").and_then(|()| stdout.flush()).during(STEP, "stdout")?;
    Ok(0)
}

impl Fill {
    /// Under the lock; whoever comes later finds the work done.
    fn once(&self, volume: &Path, ids: &str) -> Step<String> {
        let folder = lock(volume)?;
        let file = volume.join("ids");
        match std::fs::read_to_string(&file) {
            Ok(text) => return Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).during(STEP, file.display()),
        }
        let done = userns::in_child(|| self.prepare(&folder)).and_then(|()| {
            match renameat(&folder, FILLING, &folder, DATA) {
                // Something is in it: whoever put it there was stopped before the last line of this function.
                Err(Errno::NOTEMPTY | Errno::EXIST) => userns::in_child(|| self.discard(&folder)),
                other => other.during(STEP, volume.display()),
            }
        });
        if let Err(failure) = done {
            let _ = userns::in_child(|| self.discard(&folder));
            return Err(failure);
        }
        write_atomically(&file, ids.as_bytes()).during(STEP, file.display())?;
        Ok(ids.to_string())
    }

    fn prepare(&self, volume: &OwnedFd) -> Step<()> {
        // Opened with the ids of the caller: inside a mapping without them, the folders above may be closed.
        let open_layer = |path: &PathBuf| {
            open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).during(STEP, path.display())
        };
        let layers = self.lower.iter().map(open_layer).collect::<Step<Vec<_>>>()?;
        let shift = u32::from(userns::is_foreign(&self.map));
        userns::enter_with_caller(&self.map, 0)?;
        let failed = |errno: Errno| Failure::new(STEP).on("volume").errno(errno);
        remove_at(volume.as_fd(), FILLING).map_err(failed)?;
        mkdirat(volume, FILLING, Mode::from_raw_mode(0o755)).map_err(failed)?;
        let to = openat(volume, FILLING, FOLDER, Mode::empty()).map_err(failed)?;
        let found = match &self.path {
            Some(path) => locate(&layers, path).during(STEP, path.display())?,
            None => None,
        };
        match found {
            Some(layers) if !layers.is_empty() => flatten_open(layers, to),
            _ => {
                let (uid, gid) = self.owner;
                // Where one id is all there is, it stands for every owner.
                match fchown(&to, Some(Uid::from_raw(uid + shift)), Some(Gid::from_raw(gid + shift))) {
                    Err(Errno::INVAL) => Ok(()),
                    other => other.map_err(failed),
                }
            }
        }
    }

    fn discard(&self, volume: &OwnedFd) -> Step<()> {
        userns::enter_with_caller(&self.map, 0)?;
        remove_at(volume.as_fd(), FILLING).during(STEP, "volume")
    }
}

const FILLING: &std::ffi::CStr = c".filling";
const DATA: &std::ffi::CStr = c"_data";

/// Until the process ends, however it ends.
fn lock(volume: &Path) -> Step<OwnedFd> {
    let folder = open(volume, FOLDER, Mode::empty()).during(STEP, volume.display())?;
    flock(&folder, FlockOperation::LockExclusive).during(STEP, volume.display())?;
    Ok(folder)
}

fn parse_owner(text: &str) -> Step<(u32, u32)> {
    let wrong = || Failure::because("args", "--owner UID:GID").on(text);
    let (uid, gid) = text.split_once(':').ok_or_else(wrong)?;
    Ok((uid.parse().map_err(|_| wrong())?, gid.parse().map_err(|_| wrong())?))
}
