//! Property: whatever bytes come in, the reader ends, without a panic, and reads the same however the bytes are cut.

use super::archive::{sign, Archive, Member};
use super::read;
use crate::fuzz::Random;

pub fn seed() -> Vec<u8> {
    let sparse = [("GNU.sparse.size", &b"2000"[..]), ("GNU.sparse.map", b"0,4,1000,4")];
    let lines = [("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"2000")];
    let mut map = b"2\n0\n4\n1000\n4\n".to_vec();
    map.resize(512, 0);
    map.extend_from_slice(b"headtail");
    Archive::new()
        .folder("dir/")
        .pax(b'g', &[("mtime", b"12.5")])
        .pax(b'x', &[("path", b"dir/long"), ("size", b"5"), ("SCHILY.xattr.user.a", b"1")])
        .file("x", b"hello")
        .long(b'L', &[b'n'; 200])
        .file("x", &[1; 700])
        .pax(b'x', &sparse)
        .file("s", b"headtail")
        .pax(b'x', &lines)
        .add(Member { body: &map, ..Member::default() })
        .add(Member { flag: b'S', magic: b"ustar  \0", size: Some(0), ..Member::default() })
        .hardlink("h", "dir/long")
        .end()
}

/// Changes a few bytes; mostly signs the headers again, so that the change gets past the checksum.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.next(6) {
        let at = random.next(bytes.len());
        bytes[at] = match random.next(4) {
            0 => random.next(256) as u8,
            1 => b"0179xgLKS\n= \xff\x80"[random.next(14)],
            2 => bytes[at] ^ (1 << random.next(8)),
            _ => bytes[random.next(bytes.len())],
        };
        if random.next(8) > 0 {
            let start = at / 512 * 512;
            let block: Option<&mut [u8; 512]> =
                bytes.get_mut(start..start + 512).and_then(|block| block.try_into().ok());
            if let Some(block) = block {
                sign(block);
            }
        }
    }
    match random.next(10) {
        0 => bytes.truncate(random.next(bytes.len())),
        1 => {
            let from = random.next(bytes.len() / 512) * 512;
            let again = bytes[from..from + 512].to_vec();
            let to = random.next(bytes.len() / 512) * 512;
            bytes.splice(to..to, again);
        }
        _ => {}
    }
}

#[test]
fn mutated_archives_never_panic_and_read_the_same_in_any_pieces() {
    let seed = seed();
    assert_eq!(read(&seed, 512).unwrap().len(), 7);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = seed.clone();
        mutate(&mut bytes, &mut random);
        let whole = read(&bytes, 1 << 16).map_err(|error| error.to_string());
        let pieces = read(&bytes, 1 + random.next(700)).map_err(|error| error.to_string());
        assert_eq!(whole, pieces);
        match whole {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    // Both ends of the reader were exercised.
    assert!(good > 1000 && bad > 1000, "{good} good, {bad} bad");
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random(42);
    for _ in 0..2_000 {
        let length = random.next(4096);
        let bytes: Vec<u8> = (0..length).map(|_| random.next(256) as u8).collect();
        let _ = read(&bytes, 512);
    }
}
