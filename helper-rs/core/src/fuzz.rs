//! Mutations for as long as FUZZ_SECONDS says (`npm run bench -- fuzz`); the ordinary tests run a fixed number of them.
//! Properties: whatever comes in, tar reader, validator and name server end without a panic; what the reader takes, the writer gives back.

use crate::tar::{header, Entry, Reader};
use crate::validate::{validate, KINDS};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// xorshift64*: a seed is enough to see a failure again.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }
}

/// Runs `round` with seeds from the clock until the time is over; a panic is told with its seed.
fn for_a_while(name: &str, mut round: impl FnMut(&mut Random)) {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let end = Instant::now() + Duration::from_secs(seconds);
    let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mut rounds = 0u64;
    while Instant::now() < end {
        let seed = start.wrapping_add(rounds) | 1;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| round(&mut Random(seed))));
        assert!(result.is_ok(), "{name}: seed {seed}");
        rounds += 1;
    }
    println!("{name}: {rounds} rounds");
    assert!(rounds > 0);
}

/// Parts of bytes changed, cut out, repeated, or replaced by words that mean something.
fn mutate(bytes: &mut Vec<u8>, words: &[&[u8]], random: &mut Random) {
    for _ in 0..1 + random.next(5) {
        let (at, length) = (random.next(bytes.len()), 1 + random.next(24));
        let end = (at + length).min(bytes.len());
        match random.next(6) {
            0 if !bytes.is_empty() => bytes[at] = random.next(256) as u8,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random.next(8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                let to = random.next(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            4 => bytes.truncate(at),
            _ => drop(bytes.splice(at..end, words[random.next(words.len())].iter().copied()).count()),
        }
    }
}

fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut reader = Reader::new(bytes);
    let mut entries = Vec::new();
    while let Ok(Some(entry)) = reader.next_entry() {
        entries.push(entry);
    }
    entries
}

#[test]
fn the_tar_reader_takes_anything_and_the_writer_gives_back_what_it_took() {
    let seed = crate::tar::sample();
    let words: [&[u8]; 6] =
        [b"GNU.sparse.map", b"99999999999999999999", b"SCHILY.xattr.", b"\xff\xff\xff\xff", b"../", b"0,1,"];
    for_a_while("tar", |random| {
        let mut bytes = seed.clone();
        mutate(&mut bytes, &words, random);
        if random.next(4) > 0 {
            for block in bytes.chunks_exact_mut(512) {
                crate::tar::sign_again(block);
            }
        }
        for entry in entries(&bytes) {
            // Names that no key could hold are left out by the writer.
            let plain = entry.xattrs.iter().all(|(name, _)| !name.contains(&b'='));
            if entry.sparse.is_some() || !plain {
                continue;
            }
            let mut whole = header(&entry);
            // The body is not there: only the header is read.
            whole.resize(whole.len() + 1024, 0);
            let again = Reader::new(whole.as_slice()).next_entry().expect("what was written").expect("an entry");
            let mut sorted = entry.xattrs.clone();
            sorted.sort();
            assert_eq!(Entry { offset: 0, xattrs: sorted, ..entry }, again);
        }
    });
}

#[test]
fn the_validator_takes_anything() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/contract/fixtures/good");
    let seeds: Vec<Vec<u8>> =
        std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
    let words: [&[u8]; 9] =
        [b"null", b"-1", b"1e999", b"\"\"", b"[]", b"{}", b"\"\\ud800\"", b"18446744073709551616", b"[[[[[[[["];
    for_a_while("validator", |random| {
        let mut bytes = seeds[random.next(seeds.len())].clone();
        mutate(&mut bytes, &words, random);
        let text = String::from_utf8_lossy(&bytes);
        for kind in KINDS {
            let _ = validate(kind, &text);
        }
    });
}

#[test]
fn the_name_server_takes_anything() {
    use crate::dns::tests::{question, try_bytes};
    let words: [&[u8]; 6] = [b"\xc0\x0c", b"\x3f", b"\x00\x00\x29\x10\x00", b"\xff\xff", b"\x00\x01", b"\x04arpa\x00"];
    for_a_while("dns", |random| {
        let kinds = [crate::dns::A, crate::dns::PTR, crate::dns::AAAA, 65535];
        let udp = (random.next(2) == 0).then(|| random.next(65536) as u16);
        let mut bytes = question("5.0.89.10.in-addr.arpa", kinds[random.next(4)], udp);
        mutate(&mut bytes, &words, random);
        try_bytes(&bytes, random);
    });
}
