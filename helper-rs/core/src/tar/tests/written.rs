//! What is written is read back equal, whatever an entry holds.

use super::{fault, one, read};
use crate::tar::{header, padding, stored, Entry, Kind, Segment, Time, END};

fn entry() -> Entry {
    let mtime = Time { seconds: 1_700_000_000, nanoseconds: 0 };
    Entry { uid: 1000, gid: 100, size: 5, mtime, ..Entry::bare(b"folder/file".to_vec(), Kind::File, 0o4755) }
}

fn archive(entry: &Entry, body: &[u8]) -> Vec<u8> {
    assert_eq!(stored(entry), body.len() as u64);
    [&header(entry), body, &vec![0; padding(body.len() as u64)], &END[..]].concat()
}

fn same(entry: &Entry, body: &[u8]) {
    let (got, content) = one(&archive(entry, body));
    assert_eq!((&got, content.as_slice()), (entry, body));
}

#[test]
fn a_plain_file_needs_no_pax_header() {
    same(&entry(), b"hello");
    assert_eq!(header(&entry()).len(), 512);
    assert_eq!(header(&entry()), header(&entry()));
}

#[test]
fn long_names_are_split_or_go_to_a_pax_header() {
    for (length, at, blocks) in [(100, 0, 1), (101, 50, 1), (255, 155, 1), (257, 155, 3), (255, 153, 3), (101, 101, 3)]
    {
        let mut path = vec![b'n'; length];
        if at > 0 && at < length {
            path[at] = b'/';
        }
        let entry = Entry { path, ..entry() };
        same(&entry, b"hello");
        assert_eq!(header(&entry).len(), blocks * 512, "{length} bytes with a slash at {at}");
    }
    let folder = Entry { path: [vec![b'd'; 120], b"/".to_vec()].concat(), kind: Kind::Folder, size: 0, ..entry() };
    same(&folder, b"");
    let deep = Entry { path: b"aaaa/".repeat(400), kind: Kind::Folder, size: 0, ..entry() };
    same(&deep, b"");
}

#[test]
fn links_devices_and_fifos_have_no_body() {
    for (kind, link, major, minor) in [
        (Kind::Symlink, vec![b't'; 300], 0, 0),
        (Kind::Hardlink, b"folder/other".to_vec(), 0, 0),
        (Kind::CharDevice, Vec::new(), 1, 3),
        (Kind::BlockDevice, Vec::new(), 259, 70_000),
        (Kind::Fifo, Vec::new(), 0, 0),
    ] {
        same(&Entry { kind, link, major, minor, size: 0, ..entry() }, b"");
    }
}

#[test]
fn big_ids_times_and_sizes_survive() {
    same(&Entry { uid: u32::MAX - 1, gid: 1 << 24, ..entry() }, b"hello");
    for (seconds, nanoseconds) in [(1, 1), (0, 500_000_000), (-1, 750_000_000), (-5, 0), (-5, 1), (1 << 40, 0)] {
        same(&Entry { mtime: Time { seconds, nanoseconds }, ..entry() }, b"hello");
    }
    let huge = Entry { size: 1 << 40, ..entry() };
    let read = crate::tar::Reader::new(header(&huge).as_slice()).next_entry().unwrap().unwrap();
    assert_eq!(read.size, 1 << 40);
}

#[test]
fn attributes_of_any_bytes_survive_in_one_order() {
    let xattrs = vec![
        (b"security.capability".to_vec(), vec![0, 0, 0, 2, b'\n', b'=', 0xff]),
        (b"user.empty".to_vec(), Vec::new()),
        (b"user.long".to_vec(), vec![b'9'; 988]),
    ];
    same(&Entry { xattrs: xattrs.clone(), ..entry() }, b"hello");
    let turned = Entry { xattrs: xattrs.into_iter().rev().collect(), ..entry() };
    assert_eq!(header(&turned), header(&Entry { xattrs: turned.xattrs.iter().rev().cloned().collect(), ..entry() }));
}

#[test]
fn sparse_files_are_written_without_their_holes() {
    let map = vec![Segment { offset: 4096, length: 4 }, Segment { offset: 1 << 33, length: 3 }];
    let sparse = Entry { size: 1 << 34, sparse: Some(map), ..entry() };
    let mut bytes = header(&sparse);
    bytes.extend_from_slice(b"dataend");
    bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
    let entries = read(&bytes, 512).unwrap();
    assert_eq!(entries[0].0, sparse);
    let hole = Entry { size: 1 << 20, sparse: Some(Vec::new()), ..entry() };
    same(&hole, b"");
}

#[test]
fn a_name_with_a_nul_is_never_written_as_another() {
    // No filesystem gives such a name; the reader refuses what would come of a long one.
    let name = [vec![b'a'; 200], vec![0], vec![b'b'; 10]].concat();
    assert_eq!(fault(&archive(&Entry { path: name, ..entry() }, b"hello")).1, "pax");
}
