//! The 512-byte header block, as it stands: no extension applied.

use super::{number, Fault, Time, BLOCK};

pub struct Header {
    pub flag: u8,
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub mode: u32,
    pub uid: i64,
    pub gid: i64,
    /// Bytes stored after the header, before padding.
    pub size: u64,
    pub mtime: Time,
    pub major: u32,
    pub minor: u32,
}

/// A block with a good checksum, taken apart.
pub fn parse(block: &[u8; BLOCK]) -> Result<Header, Fault> {
    if !checksum_matches(block) {
        return Err(Fault::Checksum);
    }
    let number = |from: usize, to: usize, name| number::field(&block[from..to]).ok_or(Fault::Number(name));
    let posix = &block[257..263] == b"ustar\0";
    // Old writers leave anything in the device fields of what is not a device.
    let device = |from, to, name| match matches!(block[156], b'3' | b'4') {
        true => u32::try_from(number(from, to, name)?).map_err(|_| Fault::Number(name)),
        false => Ok(0),
    };
    Ok(Header {
        flag: block[156],
        path: path(block, posix),
        link: text(&block[157..257]).to_vec(),
        mode: (number(100, 108, "mode")? & 0o7777) as u32,
        uid: number(108, 116, "uid")?,
        gid: number(116, 124, "gid")?,
        size: u64::try_from(number(124, 136, "size")?).map_err(|_| Fault::Number("size"))?,
        mtime: Time { seconds: number(136, 148, "mtime")?, nanoseconds: 0 },
        major: device(329, 337, "devmajor")?,
        minor: device(337, 345, "devminor")?,
    })
}

/// Sum of all bytes with the checksum field read as spaces; some old writers summed signed bytes.
fn checksum_matches(block: &[u8; BLOCK]) -> bool {
    let Some(stored) = number::field(&block[148..156]) else { return false };
    let outside = block[..148].iter().chain(&block[156..]);
    let (unsigned, signed) = outside.fold((256i64, 256i64), |(unsigned, signed), byte| {
        (unsigned + i64::from(*byte), signed + i64::from(*byte as i8))
    });
    stored == unsigned || stored == signed
}

/// POSIX splits long names at a slash over `prefix` and `name`. GNU keeps times where the prefix is; star shortens it.
fn path(block: &[u8; BLOCK], posix: bool) -> Vec<u8> {
    let name = text(&block[..100]);
    let star = &block[508..512] == b"tar\0";
    let prefix = match posix {
        true => text(&block[345..if star { 476 } else { 500 }]),
        false => b"",
    };
    if prefix.is_empty() {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

/// The bytes before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}
