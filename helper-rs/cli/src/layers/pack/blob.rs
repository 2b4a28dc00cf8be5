//! A layer on its way to disk: hashed plain, compressed and hashed again on other threads, in one pass.
//!
//!     caller ──plain, hashed──▶ compress ──packed, hashed──▶ file

use super::gzip::GzipWriter;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{sync_channel, SyncSender};
use std::thread::{Builder, JoinHandle};

/// How the blob is compressed. The bytes are the same on every run of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    pub fn parse(name: &str) -> Option<Compression> {
        match name {
            "none" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip),
            "zstd" => Some(Compression::Zstd),
            _ => None,
        }
    }
}

/// Handed to the other thread at once.
const CHUNK: usize = 256 << 10;
/// Chunks that wait: what bounds the memory.
const WAITING: usize = 8;

pub struct Blob {
    chunk: Vec<u8>,
    plain: Hashed<io::Sink>,
    send: SyncSender<Vec<u8>>,
    packed: JoinHandle<io::Result<Hashed<File>>>,
}

/// Digests as `sha256:HEX`, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    pub diff_id: String,
    /// Of the plain tar.
    pub size: u64,
    pub digest: String,
    /// Of the blob.
    pub blob_size: u64,
}

impl Blob {
    pub fn start(file: File, compression: Compression) -> io::Result<Blob> {
        let (send, receive) = sync_channel::<Vec<u8>>(WAITING);
        let pack = move || {
            let mut encoder = Encoder::new(Hashed::new(file), compression)?;
            while let Ok(chunk) = receive.recv() {
                encoder.write_all(&chunk)?;
            }
            let mut done = encoder.finish()?;
            done.flush()?;
            done.inner.sync_all()?;
            Ok(done)
        };
        let packed = Builder::new().name("compress".into()).spawn(pack)?;
        Ok(Blob { chunk: Vec::with_capacity(CHUNK), plain: Hashed::new(io::sink()), send, packed })
    }

    /// Waits until all is on disk.
    pub fn finish(mut self) -> io::Result<Sums> {
        let handed = self.hand_over();
        drop(self.send);
        let packed = self.packed.join().map_err(|_| io::Error::other("the compressing thread died"))??;
        handed?;
        let (size, blob_size) = (self.plain.count, packed.count);
        Ok(Sums { diff_id: self.plain.digest(), size, digest: packed.digest(), blob_size })
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.plain.write_all(&chunk)?;
        // The other thread gave up: why is said when it is joined.
        self.send.send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Blob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..take]);
        if self.chunk.len() == CHUNK {
            self.hand_over()?;
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Encoder {
    None(Hashed<File>),
    Gzip(GzipWriter<Hashed<File>>),
    Zstd(zstd::stream::write::Encoder<'static, Hashed<File>>),
}

impl Encoder {
    fn new(out: Hashed<File>, compression: Compression) -> io::Result<Encoder> {
        Ok(match compression {
            Compression::None => Encoder::None(out),
            Compression::Gzip => Encoder::Gzip(GzipWriter::new(out, flate2::Compression::new(6))?),
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, 3)?;
                encoder.include_checksum(true)?;
                Encoder::Zstd(encoder)
            }
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::None(out) => out.write_all(bytes),
            Encoder::Gzip(out) => out.write_all(bytes),
            Encoder::Zstd(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Hashed<File>> {
        match self {
            Encoder::None(out) => Ok(out),
            Encoder::Gzip(out) => out.finish(),
            Encoder::Zstd(out) => out.finish(),
        }
    }
}

/// Counts and hashes what passes through.
struct Hashed<W> {
    inner: W,
    sha: Sha256,
    count: u64,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Hashed<W> {
        Hashed { inner, sha: Sha256::new(), count: 0 }
    }

    fn digest(self) -> String {
        let hex: String = self.sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.sha.update(&bytes[..count]);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
