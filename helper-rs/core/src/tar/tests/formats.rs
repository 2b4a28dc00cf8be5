//! What each format says is understood.

use super::archive::{Archive, Member};
use super::{one, read};
use crate::tar::{clean, Escape, Kind, Time};

#[test]
fn every_kind_of_entry_is_read_with_its_fields() {
    let bytes = Archive::owned_by(1000, 100)
        .folder("dir/")
        .file("dir/file", b"hello")
        .symlink("dir/link", "/etc/passwd")
        .hardlink("dir/hard", "dir/file")
        .short(b'6', "fifo", 0o600, "", b"")
        .add(Member { path: b"null", flag: b'3', mode: 0o666, device: (1, 3), ..Member::default() })
        .add(Member { path: b"disk", flag: b'4', device: (8, 300), ..Member::default() })
        .short(b'7', "contiguous", 0o6755, "", b"x")
        .end();
    for step in [1, 7, 512, 4096] {
        let entries = read(&bytes, step).unwrap();
        let kinds: Vec<&str> = entries.iter().map(|(entry, _)| entry.kind.name()).collect();
        assert_eq!(kinds, ["folder", "file", "symlink", "hardlink", "fifo", "char", "block", "file"]);
        let (file, body) = &entries[1];
        assert_eq!(
            (file.path.as_slice(), file.uid, file.gid, file.mode, file.size),
            (&b"dir/file"[..], 1000, 100, 0o644, 5)
        );
        assert_eq!((body.as_slice(), file.mtime.seconds, file.offset), (&b"hello"[..], 1_000_000_000, 512));
        assert_eq!(entries[2].0.link, b"/etc/passwd");
        assert_eq!((entries[5].0.major, entries[5].0.minor), (1, 3));
        assert_eq!((entries[6].0.major, entries[6].0.minor), (8, 300));
        assert_eq!(entries[7].0.mode, 0o6755);
    }
}

#[test]
fn an_archive_may_end_with_two_zero_blocks_one_or_none() {
    let archive = Archive::new().file("a", b"1");
    for zeros in [0, 512, 1024, 10240] {
        let mut bytes = archive.bytes.clone();
        bytes.resize(bytes.len() + zeros, 0);
        assert_eq!(read(&bytes, 512).unwrap().len(), 1, "{zeros} zeros");
    }
    assert!(read(b"", 512).unwrap().is_empty());
}

#[test]
fn a_v7_folder_is_a_file_whose_name_ends_in_a_slash() {
    let (entry, body) =
        one(&Archive::new().add(Member { path: b"old/", flag: 0, magic: &[0; 8], ..Member::default() }).end());
    assert_eq!((entry.kind, body.len()), (Kind::Folder, 0));
    let (entry, _) = one(&Archive::new()
        .add(Member { path: b"old", flag: 0, magic: &[0; 8], body: b"x", ..Member::default() })
        .end());
    assert_eq!(entry.kind, Kind::File);
}

#[test]
fn the_ustar_prefix_is_joined_and_what_gnu_keeps_there_is_not() {
    let (entry, _) = one(&Archive::new().add(Member { prefix: b"some/prefix", ..Member::default() }).end());
    assert_eq!(entry.path, b"some/prefix/file");
    let gnu = Member { prefix: b"12345670123", magic: b"ustar  \0", ..Member::default() };
    assert_eq!(one(&Archive::new().add(gnu).end()).0.path, b"file");
}

#[test]
fn numbers_may_be_base_256_or_padded_with_spaces() {
    let member = Member { uid: 3_000_000_000, gid: 2_097_152, size: Some(0), mtime: 1 << 34, ..Member::default() };
    let (entry, _) = one(&Archive::new().add(member).end());
    assert_eq!((entry.uid, entry.gid, entry.mtime.seconds), (3_000_000_000, 2_097_152, 1 << 34));
    let mut block = super::archive::header(&Member::default());
    block[108..116].copy_from_slice(b"    12 \0");
    block[136..148].copy_from_slice(&[0xff; 12]);
    super::archive::sign(&mut block);
    let (entry, _) = one(&block);
    assert_eq!((entry.uid, entry.mtime.seconds), (0o12, -1));
}

#[test]
fn gnu_long_names_replace_the_short_ones() {
    let long = [b'n'; 3000];
    let bytes = Archive::new().long(b'L', &long).long(b'K', b"target").symlink("short", "short").end();
    let (entry, _) = one(&bytes);
    assert_eq!((entry.path.as_slice(), entry.link.as_slice(), entry.offset), (&long[..], &b"target"[..], 0));
}

#[test]
fn pax_records_win_over_the_header_and_local_ones_over_global_ones() {
    let bytes = Archive::new()
        .pax(b'g', &[("uid", b"7"), ("gid", b"8"), ("mtime", b"5")])
        .pax(b'x', &[("path", b"p\xc3\xa4x"), ("uid", b"70000"), ("size", b"3"), ("mtime", b"1700000000.25")])
        .add(Member { size: Some(0), ..Member::default() })
        .raw_body(b"abc")
        .file("plain", b"")
        .pax(b'x', &[("uid", b"")])
        .file("taken-back", b"")
        .end();
    let entries = read(&bytes, 33).unwrap();
    let (first, body) = &entries[0];
    assert_eq!(
        (first.path.as_slice(), first.uid, first.gid, body.as_slice()),
        ("päx".as_bytes(), 70000, 8, &b"abc"[..])
    );
    assert_eq!(first.mtime, Time { seconds: 1_700_000_000, nanoseconds: 250_000_000 });
    assert_eq!((entries[1].0.uid, entries[1].0.gid, entries[1].0.mtime.seconds), (7, 8, 5));
    assert_eq!(entries[2].0.uid, 0);
}

#[test]
fn pax_times_before_the_epoch_count_their_nanoseconds_forward() {
    for (text, seconds, nanoseconds) in [
        ("-1.5", -2, 500_000_000),
        ("-0.000000001", -1, 999_999_999),
        ("-3", -3, 0),
        ("1.", 1, 0),
        ("0.1234567899", 0, 123_456_789),
    ] {
        let (entry, _) = one(&Archive::new().pax(b'x', &[("mtime", text.as_bytes())]).file("f", b"").end());
        assert_eq!(entry.mtime, Time { seconds, nanoseconds }, "{text}");
    }
}

#[test]
fn extended_attributes_are_read_in_both_spellings_with_any_bytes() {
    let bytes = Archive::new()
        .pax(
            b'x',
            &[("SCHILY.xattr.user.a", b"1\n=\0\xff"), ("LIBARCHIVE.xattr.user.b%20c", b"aGVsbG8"), ("comment", b"x")],
        )
        .file("f", b"")
        .end();
    let expected = [(b"user.a".to_vec(), b"1\n=\0\xff".to_vec()), (b"user.b c".to_vec(), b"hello".to_vec())];
    assert_eq!(one(&bytes).0.xattrs, expected);
}

#[test]
fn a_size_on_what_has_no_body_means_nothing() {
    let link = Member { path: b"l", flag: b'1', link: b"file", size: Some(5000), ..Member::default() };
    let entries = read(&Archive::new().file("file", b"x").add(link).file("after", b"y").end(), 512).unwrap();
    assert_eq!((entries.len(), entries[1].0.size, entries[2].0.path.as_slice()), (3, 0, &b"after"[..]));
}

#[test]
fn volume_labels_are_passed_over_and_gnu_dump_folders_are_folders() {
    let label = Member { path: b"label", flag: b'V', ..Member::default() };
    let dump = Member { path: b"dumped/", flag: b'D', body: b"Yfile\0\0", ..Member::default() };
    let entries = read(&Archive::new().add(label).add(dump).file("f", b"z").end(), 512).unwrap();
    assert_eq!((entries[0].0.kind, entries[1].1.as_slice()), (Kind::Folder, &b"z"[..]));
}

#[test]
fn names_are_cleaned_by_text_and_escapes_are_seen() {
    for (name, clean_name) in [
        ("a/b", Ok("a/b")),
        ("./", Ok("")),
        ("/etc//passwd", Ok("etc/passwd")),
        ("a/./b/", Ok("a/b")),
        ("a/../b", Ok("b")),
        ("a/b/../../c", Ok("c")),
        ("...", Ok("...")),
        ("..", Err(Escape)),
        ("/..", Err(Escape)),
        ("a/../../b", Err(Escape)),
    ] {
        assert_eq!(clean(name.as_bytes()), clean_name.map(|name| name.as_bytes().to_vec()), "{name}");
    }
}
