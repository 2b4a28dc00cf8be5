//! The reading half of unpack, on two threads: one reads and inflates, one hashes. Buffers wander from thread to thread and back.
//!
//!     inflate ──full──▶ hash ──hashed──▶ the caller, who parses and writes
//!        ▲                                  │
//!        └──────────────empty───────────────┘

use crate::layers::decode::decoder;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread::{Builder, JoinHandle};

/// Small enough to stay in a cache between the threads, large enough to make waking up cheap.
const BUFFER: usize = 256 << 10;
/// There are never more, so the channels need no bound of their own.
const BUFFERS: usize = 16;

/// A buffer and how much of it is filled.
struct Part {
    bytes: Box<[u8]>,
    filled: usize,
}

type Filled = io::Result<Part>;

/// The plain tar stream, as buffers arrive.
pub struct Feed {
    hashed: Receiver<Filled>,
    empty: Sender<Part>,
    part: Part,
    at: usize,
    digest: JoinHandle<String>,
}

impl Feed {
    pub fn start(input: impl Read + Send + 'static) -> io::Result<Feed> {
        let ((give_full, take_full), (give_hashed, hashed), (empty, take_empty)) = (channel(), channel(), channel());
        for _ in 0..BUFFERS {
            // Cannot fail: the receiver is alive here.
            let _ = empty.send(Part { bytes: vec![0; BUFFER].into(), filled: 0 });
        }
        Builder::new().name("inflate".into()).spawn(move || inflate(input, &take_empty, &give_full))?;
        let digest = Builder::new().name("hash".into()).spawn(move || hash(&take_full, &give_hashed))?;
        Ok(Feed { hashed, empty, part: Part { bytes: Box::default(), filled: 0 }, at: 0, digest })
    }

    /// Reads to the end, whatever is there, and gives the sha256 of the whole in lower-case hex.
    pub fn finish(mut self) -> io::Result<String> {
        loop {
            let left = self.fill_buf()?.len();
            if left == 0 {
                break;
            }
            self.consume(left);
        }
        self.digest.join().map_err(|_| io::Error::other("the hashing thread died"))
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.part.filled {
            // The thread drops its end when the stream has ended.
            let Ok(next) = self.hashed.recv() else { return Ok(&[]) };
            let used = std::mem::replace(&mut self.part, next?);
            self.at = 0;
            if !used.bytes.is_empty() {
                let _ = self.empty.send(used);
            }
        }
        Ok(&self.part.bytes[self.at..self.part.filled])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for Feed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(out)?;
        self.consume(taken);
        Ok(taken)
    }
}

/// Receiving or sending fails when the other half gave up; so does this one then.
fn inflate(input: impl Read + Send, empty: &Receiver<Part>, full: &Sender<Filled>) {
    let mut decoder = match decoder(input) {
        Ok(decoder) => decoder,
        Err(error) => return drop(full.send(Err(error))),
    };
    while let Ok(part) = empty.recv() {
        let part = fill(&mut decoder, part);
        let last = !matches!(&part, Ok(part) if part.filled > 0);
        if full.send(part).is_err() || last {
            break;
        }
    }
}

/// Fills a buffer as far as the stream goes.
fn fill(decoder: &mut impl Read, mut part: Part) -> Filled {
    part.filled = 0;
    while part.filled < part.bytes.len() {
        match decoder.read(&mut part.bytes[part.filled..]) {
            Ok(0) => break,
            Ok(count) => part.filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(part)
}

fn hash(full: &Receiver<Filled>, hashed: &Sender<Filled>) -> String {
    let mut sha = Sha256::new();
    while let Ok(part) = full.recv() {
        if let Ok(part) = &part {
            sha.update(&part.bytes[..part.filled]);
        }
        if hashed.send(part).is_err() {
            break;
        }
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
