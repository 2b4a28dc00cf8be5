//! Sparse files, in all four ways, and the lies that their maps can tell.

use super::archive::{header, number, sign, Archive, Member};
use super::{fault, one, read};

/// 4 bytes at 0, 4 at 1000; 2000 in all.
const DATA: &[u8] = b"headtail";

fn expect(bytes: &[u8]) {
    for step in [1, 100, 512] {
        let entries = read(bytes, step).unwrap();
        assert_eq!(entries.len(), 2);
        let (entry, body) = &entries[0];
        assert_eq!((entry.path.as_slice(), entry.size), (&b"sparse"[..], 2000));
        assert_eq!((&body[..4], &body[1000..], body.len()), (&b"head"[..], &b"tail"[..], 1004));
        assert!(body[4..1000].iter().all(|byte| *byte == 0));
        assert_eq!(entry.sparse.as_ref().map(Vec::len), Some(2));
        assert_eq!(entries[1].0.path, b"after");
    }
}

fn old(segments: &[(u64, u64)], size: u64, body: &[u8]) -> Archive {
    let member = Member { path: b"sparse", flag: b'S', magic: b"ustar  \0", body, ..Member::default() };
    let mut block = header(&member);
    let (first, rest) = segments.split_at(segments.len().min(4));
    let write = |block: &mut [u8; 512], at: usize, rows: &[(u64, u64)]| {
        for (row, (offset, length)) in rows.iter().enumerate() {
            block[at + row * 24..at + row * 24 + 12].copy_from_slice(&number::<12>(*offset));
            block[at + row * 24 + 12..at + row * 24 + 24].copy_from_slice(&number::<12>(*length));
        }
    };
    write(&mut block, 386, first);
    block[482] = u8::from(!rest.is_empty());
    block[483..495].copy_from_slice(&number::<12>(size));
    sign(&mut block);
    let mut archive = Archive { bytes: block.to_vec(), ..Archive::new() };
    for (at, rows) in rest.chunks(21).enumerate() {
        let mut block = [0; 512];
        write(&mut block, 0, rows);
        block[504] = u8::from((at + 1) * 21 < rest.len());
        archive.bytes.extend_from_slice(&block);
    }
    archive.raw_body(body)
}

#[test]
fn old_gnu_sparse_is_read() {
    expect(&old(&[(0, 4), (1000, 4)], 2000, DATA).file("after", b"").end());
}

#[test]
fn old_gnu_sparse_with_extension_blocks_is_read() {
    let segments: Vec<(u64, u64)> = (0..60).map(|at| (at * 100, 1)).collect();
    let (entry, body) = one(&old(&segments, 6000, &[9; 60]).end());
    assert_eq!((entry.size, body.len(), body.iter().filter(|byte| **byte == 9).count()), (6000, 5901, 60));
}

#[test]
fn pax_sparse_0_0_and_0_1_and_1_0_are_read() {
    let file = |path, body| Member { path, body, ..Member::default() };
    let zero = [
        ("GNU.sparse.size", &b"2000"[..]),
        ("GNU.sparse.numblocks", b"2"),
        ("GNU.sparse.offset", b"0"),
        ("GNU.sparse.numbytes", b"4"),
        ("GNU.sparse.offset", b"1000"),
        ("GNU.sparse.numbytes", b"4"),
    ];
    expect(&Archive::new().pax(b'x', &zero).add(file(b"sparse", DATA)).file("after", b"").end());
    let one = [("GNU.sparse.name", &b"sparse"[..]), ("GNU.sparse.size", b"2000"), ("GNU.sparse.map", b"0,4,1000,4")];
    expect(&Archive::new().pax(b'x', &one).add(file(b"GNUSparseFile/x", DATA)).file("after", b"").end());
    let lines = [
        ("GNU.sparse.major", &b"1"[..]),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"sparse"),
        ("GNU.sparse.realsize", b"2000"),
    ];
    let mut body = b"2\n0\n4\n1000\n4\n".to_vec();
    body.resize(512, 0);
    body.extend_from_slice(DATA);
    expect(&Archive::new().pax(b'x', &lines).add(file(b"GNUSparseFile/x", &body)).file("after", b"").end());
}

#[test]
fn a_file_that_is_one_hole_has_no_body() {
    let (entry, body) = one(&old(&[], 1 << 40, b"").end());
    assert_eq!((entry.size, body.len(), entry.sparse), (1 << 40, 0, Some(Vec::new())));
}

#[test]
fn maps_that_overlap_run_backwards_leave_the_file_or_disagree_with_what_is_stored_are_refused() {
    for (segments, size) in [
        (&[(0, 4), (3, 4)][..], 2000),
        (&[(1000, 4), (0, 4)], 2000),
        (&[(0, 4), (1997, 4)], 2000),
        (&[(0, 4)], 2000),
        (&[(0, 9)], 2000),
        (&[(0, 8)], 4),
        (&[(u64::MAX >> 1, 8)], 2000),
    ] {
        assert_eq!(fault(&old(segments, size, DATA).end()), (0, "sparse"), "{segments:?}");
    }
}

#[test]
fn line_maps_that_never_end_or_hold_no_numbers_are_refused() {
    let keys = [("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9")];
    for body in [&b"3\n0\n1\n"[..], b"99999999999\n", b"x\n", b"000000000000000000000000", b"1\n0\n-1\n", b""] {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(512), b'\n');
        let bytes = Archive::new().pax(b'x', &keys).add(Member { body: &body, ..Member::default() }).end();
        assert_eq!(fault(&bytes).1, "sparse", "{:?}", String::from_utf8_lossy(&body));
    }
}
