//! Gzip (RFC 1952) on all processors: blocks are deflated apart and joined at byte borders, one member in all.
//!
//!     caller ──block──▶ worker ──deflated──▶ caller, in order ──▶ out
//!
//! Where a block ends depends on the input alone, so the bytes are the same with any number of processors.

use flate2::{Compress, FlushCompress};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread::{available_parallelism, Builder};

/// A block costs five bytes and forgets the 32 KiB before it: at this size that is less than a thousandth.
const BLOCK: usize = 1 << 20;
/// More than this many help no layer: the hashing of both sides is done by one thread each.
const MOST: usize = 8;

type Deflated = io::Result<Vec<u8>>;

struct Job {
    block: Vec<u8>,
    done: SyncSender<Deflated>,
}

pub struct GzipWriter<W: Write> {
    out: W,
    block: Vec<u8>,
    jobs: Vec<SyncSender<Job>>,
    /// The worker that comes next.
    turn: usize,
    /// Blocks on their way, oldest first.
    waiting: VecDeque<Receiver<Deflated>>,
    checksum: crc32fast::Hasher,
    size: u32,
}

impl<W: Write> GzipWriter<W> {
    pub fn new(mut out: W, level: flate2::Compression) -> io::Result<GzipWriter<W>> {
        let count = available_parallelism().map_or(1, |count| count.get()).min(MOST);
        let jobs = (0..count).map(|_| worker(level)).collect::<io::Result<_>>()?;
        // No time and no name, so that equal layers are equal; 255: no system in particular.
        out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])?;
        let (block, waiting) = (Vec::with_capacity(BLOCK), VecDeque::new());
        Ok(GzipWriter { out, block, jobs, turn: 0, waiting, checksum: crc32fast::Hasher::new(), size: 0 })
    }

    /// An empty last block, and what the plain bytes were.
    pub fn finish(mut self) -> io::Result<W> {
        self.hand_over()?;
        while !self.waiting.is_empty() {
            self.take()?;
        }
        self.out.write_all(&[3, 0])?;
        self.out.write_all(&self.checksum.finalize().to_le_bytes())?;
        self.out.write_all(&self.size.to_le_bytes())?;
        Ok(self.out)
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        let (done, result) = sync_channel(1);
        self.waiting.push_back(result);
        self.jobs[self.turn].send(Job { block, done }).map_err(|_| dead())?;
        self.turn = (self.turn + 1) % self.jobs.len();
        // One block waits before each worker while it has one in hand: that bounds the memory.
        if self.waiting.len() > 2 * self.jobs.len() {
            self.take()?;
        }
        Ok(())
    }

    fn take(&mut self) -> io::Result<()> {
        let Some(oldest) = self.waiting.pop_front() else { return Ok(()) };
        let deflated = oldest.recv().map_err(|_| dead())??;
        self.out.write_all(&deflated)
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(BLOCK - self.block.len());
        let part = &bytes[..take];
        self.block.extend_from_slice(part);
        self.checksum.update(part);
        self.size = self.size.wrapping_add(take as u32);
        if self.block.len() == BLOCK {
            self.hand_over()?;
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Ends when nobody can give it anything any more.
fn worker(level: flate2::Compression) -> io::Result<SyncSender<Job>> {
    let (send, receive) = sync_channel::<Job>(1);
    let work = move || {
        let mut deflate = Compress::new(level, false);
        while let Ok(Job { block, done }) = receive.recv() {
            // Who no longer waits for it has failed already.
            let _ = done.send(deflated(&mut deflate, &block));
        }
    };
    Builder::new().name("deflate".into()).spawn(work)?;
    Ok(send)
}

/// Ends at a byte border (Z_SYNC_FLUSH), so that the next block can follow as it is.
fn deflated(deflate: &mut Compress, block: &[u8]) -> Deflated {
    deflate.reset();
    let mut out = Vec::with_capacity(block.len() + block.len() / 1000 + 64);
    loop {
        let at = deflate.total_in() as usize;
        deflate.compress_vec(&block[at..], &mut out, FlushCompress::Sync)?;
        // Room that is left over means that all of it has been flushed.
        if deflate.total_in() as usize == block.len() && out.len() < out.capacity() {
            return Ok(out);
        }
        out.reserve(4096);
    }
}

fn dead() -> io::Error {
    io::Error::other("the compressing thread died")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn packed(plain: &[u8], step: usize) -> Vec<u8> {
        let mut writer = GzipWriter::new(Vec::new(), flate2::Compression::new(6)).expect("started");
        for part in plain.chunks(step.max(1)) {
            writer.write_all(part).expect("taken");
        }
        writer.finish().expect("finished")
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn every_length_comes_back_as_one_member() {
        let mut long = noise(3 * BLOCK + 17);
        long[BLOCK..2 * BLOCK].fill(0);
        for length in [0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, long.len()] {
            let plain = &long[..length];
            let gzip = packed(plain, 100_000);
            let mut back = Vec::new();
            // Reads a single member: what follows it would be left.
            let mut decoder = flate2::bufread::GzDecoder::new(&gzip[..]);
            decoder.read_to_end(&mut back).expect("inflated");
            assert!(back == plain && decoder.into_inner().is_empty(), "{length} bytes");
        }
    }

    #[test]
    fn the_bytes_do_not_depend_on_how_they_came() {
        let plain = noise(BLOCK + 5000);
        let whole = packed(&plain, plain.len());
        assert!(packed(&plain, 777) == whole && packed(&plain, BLOCK) == whole);
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = GzipWriter::new(Full(2 * BLOCK), flate2::Compression::new(6)).expect("started");
        let failed = writer.write_all(&noise(40 * BLOCK)).and_then(|()| writer.finish().map(drop));
        assert_eq!(failed.expect_err("full").kind(), io::ErrorKind::StorageFull);
    }
}
