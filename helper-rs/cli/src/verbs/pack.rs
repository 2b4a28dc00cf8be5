//! `changes` and `pack`: what a container has changed, as a list and as a layer.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::layers::pack::{Blob, Compression, Lines, Style, Tarball, Walk, STEP};
use crate::plan::Plan;
use crate::{pack, verbs::state::print_json};
use rootless_core::lower::annotations::Copy;
use rustix::process::umask;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// `changes --bundle DIR [--below JSON] ID`
pub fn changes(global: Global) -> Step<u8> {
    let (mut bundle, mut id, mut below) = (None, None, None);
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "bundle" => bundle = Some(PathBuf::from(given.value()?)),
            Argument::Option(name) if name == "below" => below = Some(layers(&given.text()?)?),
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
        }
    }
    let (bundle, id) = (args::required(bundle, "--bundle")?, args::required(id, "container id")?);
    let changes = pack::enter(&Plan::read(&id, &bundle)?, below.as_ref())?;
    let mut lines = Lines { out: BufWriter::new(std::io::stdout().lock()) };
    Walk { top: &changes.top, lowers: &changes.lowers, scope: &changes.scope, visitor: &mut lines }.run()?;
    lines.out.flush().during(STEP, "stdout")?;
    Ok(0)
}

/// `pack --bundle DIR [--below JSON] --to FILE [--compress gzip|zstd|none] [--epoch SECONDS] ID`
pub fn pack(global: Global) -> Step<u8> {
    let (mut bundle, mut id, mut to, mut latest, mut below) = (None, None, None, None, None);
    let mut compression = Compression::Gzip;
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "bundle" => bundle = Some(PathBuf::from(given.value()?)),
                "below" => below = Some(layers(&given.text()?)?),
                "to" => to = Some(PathBuf::from(given.value()?)),
                "epoch" => latest = Some(given.number()?),
                "compress" => {
                    let name = given.text()?;
                    let unknown = || Failure::because("args", "unknown compression").on(&name);
                    compression = Compression::parse(&name).ok_or_else(unknown)?;
                }
                other => return Err(args::unknown(other)),
            },
            Argument::Operand(operand) => args::only_id(&mut id, operand)?,
        }
    }
    let (bundle, id) = (args::required(bundle, "--bundle")?, args::required(id, "container id")?);
    let to = args::required(to, "--to")?;
    let plan = Plan::read(&id, &bundle)?;
    // Made by the caller, before the mapping: the blob belongs to the store, not to the container's root.
    let before = umask(rustix::fs::Mode::from_raw_mode(0o022));
    let file = File::create_new(&to).during(STEP, to.display());
    umask(before);
    let file = file?;
    let changes = pack::enter(&plan, below.as_ref())?;
    let blob = Blob::start(file, compression).during(STEP, "thread")?;
    let style = Style { single_id: changes.single_id, latest, ..Style::default() };
    let mut tar = Tarball::new(blob, style, Vec::new());
    let walked = Walk { top: &changes.top, lowers: &changes.lowers, scope: &changes.scope, visitor: &mut tar }.run();
    let entries = tar.entries;
    let sums = match walked {
        Ok(()) => tar.finish()?.finish().during(STEP, to.display())?,
        // The disk is full, most often: the writing thread knows.
        Err(failure) if failure.target.as_deref() == Some("output") => {
            tar.abandon().finish().during(STEP, to.display())?;
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    let mut summary = serde_json::to_value(&sums).unwrap_or_default();
    summary["entries"] = entries.into();
    print_json(&summary)?;
    Ok(0)
}

fn layers(json: &str) -> Step<Copy> {
    serde_json::from_str(json).map_err(|error| Failure::because("args", format!("--below: {error}")))
}
