//! The writer: an entry becomes a ustar block, with a pax header before it for what ustar cannot say. The same entry always
//! becomes the same bytes.

use super::{Entry, Kind, Segment, Time, BLOCK};

/// Two zero blocks: the end of an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The name and link fields, the fields of numbers, and the prefix (POSIX.1-1988).
const NAME: usize = 100;
const PREFIX: usize = 155;
const MOST_ID: u32 = 0o7_777_777;
const MOST_SIZE: u64 = 0o77_777_777_777;
const MOST_TIME: i64 = 0o77_777_777_777;

/// Everything of the entry that stands before its body. The body then has [`stored`] bytes and [`padding`] after them.
pub fn header(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * BLOCK);
    let map = entry.sparse.as_deref().map(line_map);
    let records = records(entry, map.is_some());
    let (prefix, name) = split(&entry.path).unwrap_or((&[], cut(&entry.path)));
    if !records.is_empty() {
        let mut block = [0; BLOCK];
        put(&mut block, 0, cut(&[b"PaxHeaders/", last(&entry.path)].concat()));
        numbers(&mut block, &Numbers { mode: 0o644, size: records.len() as u64, ..Numbers::default() });
        block[156] = b'x';
        sign(&mut block);
        out.extend_from_slice(&block);
        out.extend_from_slice(&records);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    let mut block = [0; BLOCK];
    put(&mut block, 0, name);
    put(&mut block, 345, prefix);
    put(&mut block, 157, cut(&entry.link));
    let size = stored(entry) + map.as_ref().map_or(0, |map| map.len() as u64);
    let device = matches!(entry.kind, Kind::CharDevice | Kind::BlockDevice);
    numbers(
        &mut block,
        &Numbers {
            mode: entry.mode & 0o7777,
            uid: entry.uid,
            gid: entry.gid,
            size,
            time: entry.mtime.seconds,
            device: device.then_some((entry.major, entry.minor)),
        },
    );
    block[156] = flag(entry.kind);
    sign(&mut block);
    out.extend_from_slice(&block);
    out.extend_from_slice(&map.unwrap_or_default());
    out
}

/// Bytes of the body: only files have one, and of a sparse file only the parts with data are stored.
pub fn stored(entry: &Entry) -> u64 {
    match (entry.kind, &entry.sparse) {
        (Kind::File, Some(map)) => map.iter().map(|segment| segment.length).sum(),
        (Kind::File, None) => entry.size,
        _ => 0,
    }
}

/// Zeros after a body of this size.
pub fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::Hardlink => b'1',
        Kind::Symlink => b'2',
        Kind::CharDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Folder => b'5',
        Kind::Fifo => b'6',
    }
}

/// The pax records that the entry needs, in a fixed order.
fn records(entry: &Entry, sparse: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if sparse {
        record(&mut out, b"GNU.sparse.major", b"1");
        record(&mut out, b"GNU.sparse.minor", b"0");
        record(&mut out, b"GNU.sparse.name", &entry.path);
        record(&mut out, b"GNU.sparse.realsize", entry.size.to_string().as_bytes());
    } else if split(&entry.path).is_none() {
        record(&mut out, b"path", &entry.path);
    }
    if entry.link.len() > NAME {
        record(&mut out, b"linkpath", &entry.link);
    }
    if stored(entry) > MOST_SIZE {
        record(&mut out, b"size", stored(entry).to_string().as_bytes());
    }
    for (key, id) in [(&b"uid"[..], entry.uid), (b"gid", entry.gid)] {
        if id > MOST_ID {
            record(&mut out, key, id.to_string().as_bytes());
        }
    }
    if entry.mtime.nanoseconds != 0 || !(0..=MOST_TIME).contains(&entry.mtime.seconds) {
        record(&mut out, b"mtime", time(entry.mtime).as_bytes());
    }
    let mut xattrs: Vec<_> = entry.xattrs.iter().collect();
    xattrs.sort();
    // A key ends at its first "=": such a name would become another one.
    for (name, value) in xattrs.into_iter().filter(|(name, _)| !name.contains(&b'=')) {
        record(&mut out, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    out
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    for part in [b" ", key, b"=", value, b"\n"] {
        out.extend_from_slice(part);
    }
}

/// Decimal seconds; a time before 1970 counts backwards: -0.25 s is `-0.25`.
fn time(time: Time) -> String {
    let digits = |nanoseconds: u32| format!("{nanoseconds:09}").trim_end_matches('0').to_string();
    match (time.seconds, time.nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ 0.., nanoseconds) => format!("{seconds}.{}", digits(nanoseconds)),
        (seconds, nanoseconds) => {
            format!("-{}.{}", (seconds + 1).unsigned_abs(), digits(1_000_000_000u32.saturating_sub(nanoseconds)))
        }
    }
}

/// Prefix and name, if the path fits into the two fields.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME {
        return Some((&[], path));
    }
    // A name must not be empty: the slash at the end of a folder stays with it.
    let from = path.len().checked_sub(NAME + 1)?;
    let at = from + path[from..path.len() - 1].iter().position(|byte| *byte == b'/')?;
    (at > 0 && at <= PREFIX).then(|| (&path[..at], &path[at + 1..]))
}

fn last(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

fn cut(name: &[u8]) -> &[u8] {
    &name[..name.len().min(NAME)]
}

#[derive(Default)]
struct Numbers {
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    time: i64,
    device: Option<(u32, u32)>,
}

/// What does not fit is 0 here and stands in the pax header.
fn numbers(block: &mut [u8; BLOCK], values: &Numbers) {
    let id = |id: u32| u64::from(if id > MOST_ID { 0 } else { id });
    octal(block, 100, 7, values.mode.into());
    octal(block, 108, 7, id(values.uid));
    octal(block, 116, 7, id(values.gid));
    octal(block, 124, 11, if values.size > MOST_SIZE { 0 } else { values.size });
    octal(block, 136, 11, u64::try_from(values.time).ok().filter(|time| *time <= MOST_SIZE).unwrap_or(0));
    put(block, 257, b"ustar\x0000");
    let (major, minor) = values.device.unwrap_or((0, 0));
    octal(block, 329, 7, id(major));
    octal(block, 337, 7, id(minor));
}

fn octal(block: &mut [u8; BLOCK], at: usize, digits: usize, value: u64) {
    put(block, at, format!("{value:0digits$o}").as_bytes());
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}

fn sign(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    put(block, 148, format!("{sum:06o}\0 ").as_bytes());
}

/// The map of pax sparse 1.0: decimals, one a line, filled up to whole blocks.
fn line_map(map: &[Segment]) -> Vec<u8> {
    let mut out = format!("{}\n", map.len()).into_bytes();
    for segment in map {
        out.extend_from_slice(format!("{}\n{}\n", segment.offset, segment.length).as_bytes());
    }
    out.resize(out.len().next_multiple_of(BLOCK), 0);
    out
}
