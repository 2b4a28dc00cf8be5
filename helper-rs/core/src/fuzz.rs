//! Mutations for as long as FUZZ_SECONDS says (`npm run bench -- fuzz`); the ordinary tests run a fixed number of them.
//! Properties: whatever comes in, tar reader, validator, the reader of configurations and name server end without a panic; what the reader
//! takes, the writer gives back; and a configuration that the validator passes is lowered, but for what it says in words of its own.

use crate::tar::{header, Entry, Reader};
use crate::validate::{validate, KINDS};
use serde_json::Value;
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

/// Values where others are expected: at the ends of ranges, of other types, and names that mean something elsewhere.
fn strange(random: &mut Random) -> Value {
    let words = [
        "",
        "/",
        "..",
        "\0",
        "rbind",
        "idmap=uids=@0-0-1;gids=@0-0-1",
        "user",
        "/proc/self/fd/3",
        "SCMP_ACT_NOTIFY",
        "é\u{1f9ea}",
        "0-4294967295",
        "a,b:c;d#e",
    ];
    match random.next(8) {
        0 => Value::Null,
        1 => Value::Bool(random.next(2) == 0),
        2 => Value::from([0, 1, u64::MAX, u64::from(u32::MAX), 1 << 31, 1 << 63, 65536, 4095][random.next(8)]),
        3 => Value::from([-1, i64::MIN, i64::from(i32::MIN), -4096][random.next(4)]),
        4 => Value::from(1.5e300),
        5 => Value::Array(Vec::new()),
        6 => Value::Object(serde_json::Map::new()),
        _ => Value::from(words[random.next(words.len())]),
    }
}

/// Goes to a member anywhere in the document and changes it: another value, none, the one of another place, twice the same.
fn change(document: &mut Value, stock: &[Value], random: &mut Random) {
    let mut here = document;
    loop {
        let count = match &*here {
            Value::Object(members) => members.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        if count == 0 || random.next(6) == 0 {
            break;
        }
        let at = random.next(count);
        let is_end = random.next(12) == 0;
        match here {
            Value::Object(members) if is_end => {
                let name = members.keys().nth(at).cloned().unwrap_or_default();
                drop(members.remove(&name));
                return;
            }
            Value::Array(items) if is_end => {
                let copy = items[at].clone();
                items.insert(random.next(count + 1), copy);
                return;
            }
            Value::Object(members) => here = members.iter_mut().nth(at).expect("counted").1,
            Value::Array(items) => here = &mut items[at],
            _ => return,
        }
    }
    *here = if random.next(3) == 0 { stock[random.next(stock.len())].clone() } else { strange(random) };
}

/// Every value of a document, to be put elsewhere.
fn collect(value: &Value, into: &mut Vec<Value>) {
    into.push(value.clone());
    match value {
        Value::Object(members) => members.values().for_each(|value| collect(value, into)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}

/// Everything that a launch makes of a document before there is a process. Errors are answers too.
fn lower_all(text: &str) {
    use crate::lower::{annotations, mounts, namespaces, resources};
    let Ok(spec) = serde_json::from_str::<crate::oci::runtime::Spec>(text) else { return };
    let _ = annotations::parse(&spec.annotations);
    for (index, mount) in spec.mounts.iter().enumerate() {
        let _ = mounts::lower(index, mount, index % 2 == 0);
    }
    let Some(linux) = &spec.linux else { return };
    let _ = namespaces::lower(&linux.namespaces);
    let _ = linux.resources.as_ref().map(resources::lower);
    for native in [crate::seccomp::Arch::X86_64, crate::seccomp::Arch::Aarch64] {
        let _ = linux.seccomp.as_ref().map(|profile| crate::seccomp::compile(profile, native));
    }
}

#[test]
fn the_validator_and_the_reader_take_any_change_of_a_good_document() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/contract/fixtures/good");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let seeds: Vec<(String, Value)> = files
        .map(|path| {
            let kind = path.file_stem().unwrap().to_string_lossy().into_owned();
            (kind, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        })
        .collect();
    let mut stock = Vec::new();
    seeds.iter().for_each(|(_, seed)| collect(seed, &mut stock));
    for_a_while("documents", |random| {
        let (name, seed) = &seeds[random.next(seeds.len())];
        let mut document = seed.clone();
        for _ in 0..1 + random.next(4) {
            change(&mut document, &stock, random);
        }
        let text = document.to_string();
        for kind in KINDS.iter().filter(|kind| name.starts_with(**kind)) {
            let problems = validate(kind, &text).unwrap();
            let has_errors = problems.iter().any(crate::validate::Problem::is_error);
            // What has the right types can be read.
            if *kind == "config" && !has_errors {
                let read = serde_json::from_str::<crate::oci::runtime::Spec>(&text);
                assert!(read.is_ok(), "{:?}: {text}", read.err());
            }
        }
        lower_all(&text);
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
