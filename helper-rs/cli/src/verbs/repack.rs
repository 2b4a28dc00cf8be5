//! `repack`: a layer in another compression.

use crate::args::{self, Argument, Global, Options};
use crate::failure::{During, Failure, Step};
use crate::layers::decoder;
use crate::layers::pack::{Blob, Compression, STEP};
use crate::verbs::state::print_json;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// `repack --to FILE [--compress gzip|zstd|none] SOURCE`
pub fn repack(global: Global) -> Step<u8> {
    let (mut to, mut source) = (None, None);
    let mut compression = Compression::Gzip;
    let mut given = Options::new(&global.rest);
    while let Some(argument) = given.next()? {
        match argument {
            Argument::Option(name) if name == "to" => to = Some(PathBuf::from(given.value()?)),
            Argument::Option(name) if name == "compress" => {
                let name = given.text()?;
                let unknown = || Failure::because("args", "unknown compression").on(&name);
                compression = Compression::parse(&name).ok_or_else(unknown)?;
            }
            Argument::Option(name) => return Err(args::unknown(&name)),
            Argument::Operand(path) if source.is_none() => source = Some(PathBuf::from(path)),
            Argument::Operand(path) => return Err(args::surplus(&path)),
        }
    }
    let (to, source) = (args::required(to, "--to")?, args::required(source, "SOURCE")?);
    let input = File::open(&source).during(STEP, source.display())?;
    let output = File::create_new(&to).during(STEP, to.display())?;
    let blob = Blob::start(output, compression).during(STEP, "thread")?;
    print_json(&copy(input, blob, &source, &to)?)?;
    Ok(0)
}

/// A reader that fails means damage in `source`, a writer that fails most often a full disk: the writing thread knows.
fn copy(input: File, mut blob: Blob, source: &Path, to: &Path) -> Step<impl serde::Serialize> {
    let mut plain = decoder(input).during(STEP, source.display())?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = match plain.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).during(STEP, source.display()),
        };
        match blob.write_all(&buffer[..count]) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written.during(STEP, to.display())?,
        }
    }
    blob.finish().during(STEP, to.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sums(source: &Path, to: &Path, compression: Compression) -> Step<serde_json::Value> {
        let input = File::open(source).during(STEP, "source")?;
        let blob = Blob::start(File::create_new(to).during(STEP, "to")?, compression).during(STEP, "thread")?;
        copy(input, blob, source, to).map(|sums| serde_json::to_value(sums).unwrap_or_default())
    }

    #[test]
    fn a_layer_keeps_its_content_through_every_compression() {
        let folder = tempfolder("repack");
        let plain: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        fs::write(folder.join("plain"), &plain).expect("written");
        let mut from = folder.join("plain");
        let mut seen = Vec::new();
        for (name, compression) in
            [("gzip", Compression::Gzip), ("zstd", Compression::Zstd), ("none", Compression::None)]
        {
            let to = folder.join(name);
            let made = sums(&from, &to, compression).expect("repacked");
            assert_eq!(made["size"], plain.len());
            assert_eq!(made["blobSize"], fs::metadata(&to).expect("there").len());
            seen.push(made["diffId"].clone());
            from = to;
        }
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(fs::read(from).expect("read"), plain);
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_layer_that_ends_early_is_refused() {
        let folder = tempfolder("repack-cut");
        fs::write(folder.join("plain"), vec![7; 1_000_000]).expect("written");
        sums(&folder.join("plain"), &folder.join("whole"), Compression::Gzip).expect("repacked");
        let whole = fs::read(folder.join("whole")).expect("read");
        fs::write(folder.join("cut"), &whole[..whole.len() / 2]).expect("written");
        let failure = sums(&folder.join("cut"), &folder.join("again"), Compression::Zstd).expect_err("refused");
        assert!(failure.target.is_some_and(|target| target.ends_with("cut")));
        fs::remove_dir_all(folder).expect("removed");
    }

    fn tempfolder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("made");
        folder
    }
}
