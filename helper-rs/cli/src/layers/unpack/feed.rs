//! The reading half of unpack, on its own thread: read, inflate, hash. Full buffers go to the writing half through a bounded channel.

use crate::layers::decode::decoder;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{channel, sync_channel, Receiver, Sender, SyncSender};
use std::thread::JoinHandle;

/// Small enough to stay in the second-level cache between the two threads, large enough to make waking up cheap.
const BUFFER: usize = 256 << 10;
const BUFFERS: usize = 16;

/// What the thread knows once the stream has ended.
pub struct Digested {
    /// Of the plain tar stream, lower-case hex.
    pub sha256: String,
}

/// The plain tar stream, as buffers arrive.
pub struct Feed {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    buffer: Vec<u8>,
    at: usize,
    thread: JoinHandle<Digested>,
}

impl Feed {
    pub fn start(input: impl Read + Send + 'static) -> io::Result<Feed> {
        let (give_full, full) = sync_channel(BUFFERS);
        let (empty, take_empty) = channel();
        for _ in 0..BUFFERS {
            // Cannot fail: the receiver is alive here.
            let _ = empty.send(Vec::with_capacity(BUFFER));
        }
        let thread = std::thread::Builder::new()
            .name("inflate".into())
            .spawn(move || produce(input, &give_full, &take_empty))?;
        Ok(Feed { full, empty, buffer: Vec::new(), at: 0, thread })
    }

    /// Reads to the end, whatever is there, and gives the digest of the whole.
    pub fn finish(mut self) -> io::Result<Digested> {
        loop {
            let left = self.fill_buf()?.len();
            if left == 0 {
                break;
            }
            self.consume(left);
        }
        self.thread.join().map_err(|_| io::Error::other("the reading thread died"))
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() {
            // The thread drops its end when the stream has ended.
            let Ok(next) = self.full.recv() else { return Ok(&[]) };
            let used = std::mem::replace(&mut self.buffer, next?);
            self.at = 0;
            let _ = self.empty.send(used);
        }
        Ok(&self.buffer[self.at..])
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

fn produce(input: impl Read + Send, full: &SyncSender<io::Result<Vec<u8>>>, empty: &Receiver<Vec<u8>>) -> Digested {
    let mut hash = Sha256::new();
    let mut decoder = match decoder(input) {
        Ok(decoder) => decoder,
        Err(error) => {
            let _ = full.send(Err(error));
            return digested(hash);
        }
    };
    // Receiving or sending fails when the writing half gave up; so does this one then.
    while let Ok(mut buffer) = empty.recv() {
        buffer.clear();
        match decoder.by_ref().take(BUFFER as u64).read_to_end(&mut buffer) {
            Ok(0) => break,
            Ok(_) => hash.update(&buffer),
            Err(error) => {
                let _ = full.send(Err(error));
                break;
            }
        }
        if full.send(Ok(buffer)).is_err() {
            break;
        }
    }
    digested(hash)
}

fn digested(hash: Sha256) -> Digested {
    Digested { sha256: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect() }
}
