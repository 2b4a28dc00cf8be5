//! `fill`: the first content of a named volume, a copy of what the image has at the place where it is mounted. `remap`: its files
//! get the ids of another mapping.
//!
//! A volume is a folder with `_data`, and `ids` once it was filled: the id mapping that its files are stored with. Whoever
//! fills holds a lock of the folder; `_data` is made beside and renamed into place, so that no half copy is ever seen.

use crate::args::{self, Argument, Global, Options};
use crate::atomic;
use crate::failure::{During, Failure, Step};
use crate::inside;
use crate::layers::flatten::{flatten_open, locate};
use crate::layers::remove::remove_at;
use crate::owners::{self, Owner};
use crate::user;
use crate::userns::{self, to_container, to_host, IdMap};
use rootless_core::oci::runtime::IdMapping;
use rustix::fs::{fchown, flock, mkdirat, open, openat, renameat, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

const STEP: &str = "copy";
/// Files larger than this are not user databases.
const LARGEST_DATABASE: usize = 8 << 20;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Fill {
    map: IdMap,
    /// Where in the layers the content is; without it there is none.
    path: Option<PathBuf>,
    /// Who has the folder if the image has none there: `USER[:GROUP]` of the layers.
    user: String,
    lower: Vec<PathBuf>,
}

/// `fill --volume DIR --ids TEXT --idmap JSON [--path PATH] [--user USER[:GROUP]] LAYER…`: prints the `ids` that the volume has.
pub fn fill(global: Global) -> Step<u8> {
    let (mut volume, mut ids, mut map) = (None, None, None);
    let (mut path, mut user, mut lower) = (None, String::new(), Vec::new());
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "volume" => volume = Some(PathBuf::from(given.value()?)),
                "ids" => ids = Some(given.text()?),
                "idmap" => map = Some(IdMap::parse(&given.text()?)?),
                "path" => path = Some(PathBuf::from(given.value()?)),
                "user" => user = given.text()?,
                other => return Err(args::unknown(other)),
            },
            Argument::Operand(layer) => lower.push(layer.into()),
        }
    }
    let volume = args::required(volume, "--volume")?;
    let ids = args::required(ids, "--ids")?;
    let work = Fill { map: args::required(map, "--idmap")?, path, user, lower };
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
        atomic::write(&file, ids.as_bytes()).during(STEP, file.display())?;
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
            Some(found) if !found.is_empty() => flatten_open(found, to),
            _ => {
                let (uid, gid) = owner_of(&layers, &self.user, shift);
                // Where one id is all there is, it stands for every owner.
                match fchown(&to, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
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

/// In the mapping; `shift` is 1 where the caller was added to it. A user whom the image does not know cannot start there either,
/// which the start says better.
fn owner_of(layers: &[OwnedFd], user: &str, shift: u32) -> (u32, u32) {
    let etc = locate(layers, Path::new("/etc")).ok().flatten().unwrap_or_default();
    let read = |name: &str| {
        let bytes = etc.iter().find_map(|folder| match inside::read(folder, name, LARGEST_DATABASE) {
            Err(Errno::NOENT) => None,
            other => Some(other.unwrap_or_default()),
        });
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    let found = user::resolve(user, &read("passwd"), &read("group"));
    found.map_or((shift, shift), |found| (found.uid.saturating_add(shift), found.gid.saturating_add(shift)))
}

/// `remap --volume DIR --idmap JSON --from JSON --to JSON --ids TEXT`: each file gets the host's id that its id of `from` has in `to`.
/// `idmap` reaches all of them.
pub fn remap(global: Global) -> Step<u8> {
    let (mut volume, mut ids, mut whole, mut from, mut to) = (None, None, None, None, None);
    let mut data = None;
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "volume" => volume = Some(PathBuf::from(given.value()?)),
                "ids" => ids = Some(given.text()?),
                "idmap" => whole = Some(IdMap::parse(&given.text()?)?),
                "from" => from = Some(IdMap::parse(&given.text()?)?),
                "to" => to = Some(IdMap::parse(&given.text()?)?),
                "data" => data = Some(given.text()?),
                other => return Err(args::unknown(other)),
            },
            Argument::Operand(operand) => return Err(args::surplus(&operand)),
        }
    }
    let (volume, ids) = (args::required(volume, "--volume")?, args::required(ids, "--ids")?);
    let whole = args::required(whole, "--idmap")?;
    let step = Translation { from: args::required(from, "--from")?, to: args::required(to, "--to")?, whole };
    let folder = lock(&volume)?;
    // What was changed after this file was made is done: a conversion that was stopped goes on where it was.
    let named = |what: &str| match &data {
        Some(data) => volume.join(format!("{what}.{data}")),
        None => volume.join(what),
    };
    let mark = named("remap");
    let begun = format!("{ids}\n");
    if std::fs::read_to_string(&mark).ok().as_deref() != Some(&begun) {
        atomic::write(&mark, begun.as_bytes()).during("chown", mark.display())?;
        // Times of files have the grain of the kernel's clock tick.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let since = rustix::fs::stat(&mark).during("chown", mark.display())?;
    userns::in_child(|| {
        let name =
            data.as_ref().map_or(DATA.to_owned(), |name| std::ffi::CString::new(name.as_str()).unwrap_or_default());
        let data = openat(&folder, name, FOLDER | OFlags::PATH, Mode::empty()).during("chown", volume.display())?;
        userns::enter(&step.whole, 0)?;
        let data = openat(&data, c".", FOLDER, Mode::empty()).during("chown", volume.display())?;
        let done = |stat: &Stat| (stat.st_ctime, stat.st_ctime_nsec) > (since.st_ctime, since.st_ctime_nsec);
        // First a look at all of them: a file that cannot be given leaves everything as it was.
        owners::change(&data, &mut |stat| if done(stat) { Ok(None) } else { step.of(stat).map(|_| None) })?;
        owners::change(&data, &mut |stat| if done(stat) { Ok(None) } else { step.of(stat) })
    })?;
    let file = named("ids");
    atomic::write(&file, ids.as_bytes()).during("chown", file.display())?;
    std::fs::remove_file(&mark).during("chown", mark.display())?;
    Ok(0)
}

struct Translation {
    from: IdMap,
    to: IdMap,
    whole: IdMap,
}

impl Translation {
    /// As the whole mapping sees both. A file that belonged to nobody of `from` stays as it is.
    fn of(&self, stat: &Stat) -> rustix::io::Result<Owner> {
        let uid = translate(&self.whole.uid, &self.from.uid, &self.to.uid, stat.st_uid)?;
        let gid = translate(&self.whole.gid, &self.from.gid, &self.to.gid, stat.st_gid)?;
        Ok(((uid, gid) != (stat.st_uid, stat.st_gid)).then_some((uid, gid)))
    }
}

fn translate(whole: &[IdMapping], from: &[IdMapping], to: &[IdMapping], id: u32) -> rustix::io::Result<u32> {
    let Some(inside) = to_host(whole, id).and_then(|host| to_container(from, host)) else { return Ok(id) };
    // The new mapping may be shorter, or reach ids that are not the caller's any more.
    to_host(to, inside).and_then(|host| to_container(whole, host)).ok_or(Errno::OVERFLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(u32, u32, u32)]) -> Vec<IdMapping> {
        let line = |&(container_id, host_id, size): &(u32, u32, u32)| IdMapping { container_id, host_id, size };
        lines.iter().map(line).collect()
    }

    #[test]
    fn an_id_keeps_its_meaning_in_another_mapping() {
        let whole = map(&[(0, 1000, 1), (1, 100_000, 65_536)]);
        let usual = whole.clone();
        let kept = map(&[(0, 100_000, 70), (70, 1000, 1), (71, 100_070, 65_466)]);
        // Root was the caller and becomes the first subordinate id, which the whole mapping calls 1.
        assert_eq!(translate(&whole, &usual, &kept, 0), Ok(1));
        assert_eq!(translate(&whole, &usual, &kept, 70), Ok(0));
        assert_eq!(translate(&whole, &usual, &kept, 71), Ok(71));
        assert_eq!(translate(&whole, &kept, &usual, 0), Ok(70));
        assert_eq!(translate(&whole, &usual, &map(&[(0, 1000, 1)]), 5), Err(Errno::OVERFLOW));
        assert_eq!(translate(&whole, &kept, &usual, 65_534 + 10_000), Ok(65_534 + 10_000), "nobody's");
    }
}
