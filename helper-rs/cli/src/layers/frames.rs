//! Zstandard without C, for WebAssembly: frame after frame, skippable ones left out, checksums verified.

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// As natively: what a window may cost in memory.
const MOST_WINDOW: u64 = 1 << 25;
/// Magic, descriptor, window, dictionary and size: the longest header (RFC 8878, 3.1.1.1).
const HEADER: usize = 18;

/// Bytes of a frame's header behind its descriptor.
fn rest_of_header(descriptor: u8) -> usize {
    let single = descriptor >> 5 & 1;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = match descriptor >> 6 {
        0 => usize::from(single),
        shift => 1 << shift,
    };
    usize::from(1 - single) + dictionary + size
}

/// What the frame needs to be decoded, from its descriptor on.
fn window(header: &[u8]) -> u64 {
    let descriptor = header[0];
    if descriptor >> 5 & 1 == 0 {
        let (exponent, mantissa) = (header[1] >> 3, u64::from(header[1] & 7));
        let base = 1u64 << (10 + exponent);
        return base + base / 8 * mantissa;
    }
    // One segment: the window is the content.
    let skip = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = header[1 + skip..].iter().rev().fold(0u64, |size, byte| size << 8 | u64::from(*byte));
    if descriptor >> 6 == 1 {
        size + 256
    } else {
        size
    }
}

pub struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// In the middle of a frame.
    open: bool,
}

impl<R: BufRead> Frames<R> {
    pub fn new(source: R) -> Self {
        Frames { source, decoder: FrameDecoder::new(), open: false }
    }

    /// Starts the next frame; false at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            let mut header = Vec::with_capacity(HEADER);
            self.take(&mut header, 4)?;
            if let [0x50..=0x5f, 0x2a, 0x4d, 0x18] = header[..] {
                self.take(&mut header, 4)?;
                let length = header[4..].iter().rev().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
                if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            self.take(&mut header, 1)?;
            let rest = rest_of_header(header[4]);
            self.take(&mut header, rest)?;
            if window(&header[4..]) > MOST_WINDOW {
                return Err(io::Error::other("Frame requires too much memory for decoding"));
            }
            self.decoder.reset(header.as_slice().chain(&mut self.source)).map_err(io::Error::other)?;
            self.open = true;
            return Ok(true);
        }
        Ok(false)
    }

    fn take(&mut self, header: &mut Vec<u8>, count: usize) -> io::Result<()> {
        let start = header.len();
        header.resize(start + count, 0);
        self.source.read_exact(&mut header[start..])
    }

    fn close(&mut self) -> io::Result<()> {
        self.open = false;
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(stored), Some(computed)) if stored != computed => {
                Err(io::Error::other("zstd checksum does not match"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.open && !self.next_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let strategy = BlockDecodingStrategy::UptoBytes(out.len());
                self.decoder.decode_blocks(&mut self.source, strategy).map_err(io::Error::other)?;
            }
            match self.decoder.read(out)? {
                0 if self.decoder.is_finished() => self.close()?,
                count => return Ok(count),
            }
        }
    }
}
