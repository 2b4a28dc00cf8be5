//! Tests of the tar reader, on archives written byte by byte.

mod archive;
mod formats;
mod malformed;
mod mutation;
mod sparse;
mod written;

use super::{Entry, Reader, TarError};

/// All entries with their bodies, holes filled; read in pieces of `step` bytes, so that every boundary is crossed.
fn read(bytes: &[u8], step: usize) -> Result<Vec<(Entry, Vec<u8>)>, TarError> {
    let mut reader = Reader::new(std::io::BufReader::with_capacity(step, bytes));
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut body = Vec::new();
        reader.body(|offset, part| {
            // A mutated map may put its data petabytes away.
            body.resize(usize::try_from(offset).unwrap().min(1 << 20), 0);
            body.extend_from_slice(part);
            Ok::<(), TarError>(())
        })?;
        entries.push((entry, body));
    }
    Ok(entries)
}

/// An archive with an entry of every kind, to be changed.
pub fn sample() -> Vec<u8> {
    mutation::seed()
}

/// Signs a block anew if it may be a header.
pub fn sign_again(block: &mut [u8]) {
    if let Ok(block) = <&mut [u8; 512]>::try_from(block) {
        if block[257..262] == *b"ustar" {
            archive::sign(block);
        }
    }
}

/// The only entry of an archive that has one.
fn one(bytes: &[u8]) -> (Entry, Vec<u8>) {
    let mut entries = read(bytes, 512).expect("a good archive");
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

/// The offset and code of the failure.
fn fault(bytes: &[u8]) -> (u64, &'static str) {
    match read(bytes, 100).map(|entries| entries.len()) {
        Err(TarError::Malformed { offset, fault }) => (offset, fault.code()),
        other => panic!("expected a malformed archive, got {other:?}"),
    }
}
