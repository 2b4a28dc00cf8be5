//! `export` and `import`: a volume as a tar stream, with the ids that containers see.

use crate::archive::paths::{open_in, FOLDER};
use crate::archive::stand::Stand;
use crate::archive::{self, Wish, STEP};
use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::layers::unpack::{self, Policy};
use crate::userns::{self, IdMap};
use crate::verbs::state::print_json;
use rustix::fs::{open, openat, Mode, OFlags};
use std::fs::File;
use std::path::PathBuf;

/// `export --volume DIR --idmap JSON [--single-id]`: a tar of what is in the volume, on stdout.
pub fn export(global: Global) -> Step<u8> {
    let output = rustix::stdio::stdout().try_clone_to_owned().during(STEP, "stdout").map(File::from)?;
    let wish = Wish { name: ".".into(), one_filesystem: true, sparse: false, ids: None };
    archive::get(&enter(&global)?, ".", &wish, output)?;
    Ok(0)
}

/// `import --volume DIR --idmap JSON [--single-id]`: the entries of the tar on stdin into the volume.
pub fn import(global: Global) -> Step<u8> {
    let input = rustix::stdio::stdin().try_clone_to_owned().during(STEP, "stdin").map(File::from)?;
    let stand = enter(&global)?;
    let root = open_in(&stand.root, b".", FOLDER).during(STEP, "volume")?;
    let policy = Policy { single_id: stand.single_id, copy: true, root: true, ..Policy::default() };
    let (summary, _) = unpack::put(input, root, policy).map_err(|failure| Failure { step: STEP.into(), ..failure })?;
    print_json(&summary)?;
    Ok(0)
}

/// Opens the volume as the caller, to whom alone the folders above are open, and takes on the ids of its files.
fn enter(global: &Global) -> Step<Stand> {
    let (mut volume, mut map, mut single_id) = (None, None, false);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "volume" => volume = Some(PathBuf::from(given.value()?)),
                "idmap" => map = Some(IdMap::parse(&given.text()?)?),
                "single-id" => single_id = true,
                other => return Err(args::unknown(other)),
            },
            Argument::Operand(operand) => return Err(args::surplus(&operand)),
        }
    }
    let (volume, map) = (args::required(volume, "--volume")?, args::required(map, "--idmap")?);
    const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    let folder = open(&volume, PLACE, Mode::empty()).during(STEP, volume.display())?;
    let root = openat(&folder, "_data", PLACE, Mode::empty()).during(STEP, volume.display())?;
    userns::enter(&map, 0)?;
    Ok(Stand { root, single_id, local: false })
}
