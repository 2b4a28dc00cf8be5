//! Takes the compression off a layer. What it is says its magic, never its name or media type.

use super::gzip::Gzip;
use std::io::{self, BufReader, Cursor, Read};

/// What the compressed side is read in.
const CHUNK: usize = 128 << 10;

/// Windows above 32 MiB are refused: memory stays bounded (`zstd --long=27` layers would need 128 MiB).
#[cfg(target_os = "linux")]
const ZSTD_WINDOW_LOG: u32 = 25;

/// The plain bytes of a gzip (any number of members), zstd (any number of frames, skippable ones too) or plain stream.
pub fn decoder<'a>(mut input: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut magic = Vec::with_capacity(6);
    input.by_ref().take(6).read_to_end(&mut magic)?;
    let format = format(&magic);
    let whole = Cursor::new(magic).chain(input);
    match format {
        Format::Plain => Ok(Box::new(whole)),
        Format::Gzip => Ok(Box::new(Gzip::new(BufReader::with_capacity(CHUNK, whole)))),
        Format::Zstd => Ok(Box::new(Worded(zstd(BufReader::with_capacity(CHUNK, whole))?))),
        Format::Other(name) => {
            Err(io::Error::other(format!("layers compressed with {name} are not part of the OCI image format")))
        }
    }
}

/// Natively zstd is one library, in WebAssembly another: what is wrong with a stream is said in the same words.
struct Worded<'a>(Box<dyn Read + Send + 'a>);

impl Read for Worded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.raw_os_error() {
            Some(_) => error,
            None if error.kind() == io::ErrorKind::Interrupted => error,
            None if error.to_string().contains("memory") => error,
            None => io::Error::new(io::ErrorKind::InvalidData, "the zstd stream is broken or ends early"),
        })
    }
}

enum Format {
    Plain,
    Gzip,
    Zstd,
    Other(&'static str),
}

fn format(magic: &[u8]) -> Format {
    match magic {
        [0x1f, 0x8b, ..] => Format::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Format::Zstd,
        // A skippable frame may come first (zstd:chunked, pzstd).
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Format::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Format::Other("xz"),
        [b'B', b'Z', b'h', ..] => Format::Other("bzip2"),
        _ => Format::Plain,
    }
}

#[cfg(target_os = "linux")]
fn zstd<'a>(input: BufReader<impl Read + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(Box::new(decoder))
}

#[cfg(not(target_os = "linux"))]
fn zstd<'a>(input: BufReader<impl Read + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
    Ok(Box::new(super::frames::Frames::new(input)))
}
