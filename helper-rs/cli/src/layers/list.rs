//! `layer ls`: the entries of a layer, one line of JSON each.

use super::decode::decoder;
use rootless_core::tar::{Entry, Kind, Reader, TarError};
use serde_json::{json, Value};
use std::io::{BufReader, Read};

/// Hands every entry's line (without newline) to `print`, up to the end or the first malformed one.
pub fn list(input: impl Read + Send, print: &mut dyn FnMut(String) -> std::io::Result<()>) -> Result<(), TarError> {
    let mut reader = Reader::new(BufReader::with_capacity(128 << 10, decoder(input)?));
    while let Some(entry) = reader.next_entry()? {
        print(line(&entry).to_string())?;
    }
    // A broken end of the compressed stream must show here too.
    std::io::copy(&mut reader.into_inner(), &mut std::io::sink())?;
    Ok(())
}

/// Names that are not UTF-8 are shown with U+FFFD.
fn line(entry: &Entry) -> Value {
    let mut line = json!({
        "path": String::from_utf8_lossy(&entry.path),
        "type": entry.kind.name(),
        "mode": format!("{:04o}", entry.mode),
        "uid": entry.uid,
        "gid": entry.gid,
        "size": entry.size,
        "mtime": entry.mtime.seconds,
        "offset": entry.offset,
    });
    if entry.mtime.nanoseconds != 0 {
        line["mtimeNanoseconds"] = json!(entry.mtime.nanoseconds);
    }
    if matches!(entry.kind, Kind::Hardlink | Kind::Symlink) {
        line["link"] = json!(String::from_utf8_lossy(&entry.link));
    }
    if matches!(entry.kind, Kind::CharDevice | Kind::BlockDevice) {
        line["device"] = json!([entry.major, entry.minor]);
    }
    if !entry.xattrs.is_empty() {
        let names = entry.xattrs.iter().map(|(name, _)| String::from_utf8_lossy(name));
        line["xattrs"] = json!(names.collect::<Vec<_>>());
    }
    if entry.sparse.is_some() {
        line["sparse"] = json!(true);
    }
    line
}
