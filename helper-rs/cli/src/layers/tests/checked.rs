//! `layer ls` and `layer check`.

use super::archive::Member;
use super::{layer, Archive};
use crate::layers::check::check;
use crate::layers::list::list;

/// Level and code of all problems.
fn problems(bytes: Vec<u8>) -> Vec<String> {
    let mut found = Vec::new();
    check(bytes.as_slice(), &mut |problem| {
        let line: serde_json::Value = serde_json::from_str(&problem.to_json()).unwrap();
        found.push(format!("{} {}", line["level"].as_str().unwrap(), problem.code));
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn an_ordinary_layer_has_no_problem() {
    let archive =
        layer().folder("./").folder("d/").file("d/f", b"1").symlink("l", "d/f").hardlink("h", "d/f").file(".wh.x", b"");
    assert!(problems(archive.symlink("abs", "/d").symlink("d/up", "../l").end()).is_empty());
}

#[test]
fn each_problem_has_its_code_and_level() {
    let pax = |key: &str, value: &[u8]| layer().pax(b'x', &[(key, value)]).file("f", b"");
    let cases: Vec<(Archive, &[&str])> = vec![
        (layer().file("../x", b""), &["error escape"]),
        (layer().file("/x", b""), &["warning absolute"]),
        (layer().file("a/../x", b""), &["warning dot-dot"]),
        (layer().symlink("l", "../../etc").file("l/x", b""), &["warning link-escape", "error through-symlink"]),
        (layer().symlink("l", "d").file("l/x", b""), &["warning through-symlink"]),
        (layer().file("f", b"").file("f/x", b""), &["error not-a-folder"]),
        (layer().file("f", b"").file("./f", b""), &["warning duplicate"]),
        (layer().folder("d").folder("d/"), &["info duplicate"]),
        (layer().file("d/.wh...", b""), &["error bad-whiteout"]),
        (layer().folder(".wh.d"), &["warning odd-whiteout"]),
        (layer().folder(".wh..wh.plnk"), &["info aufs-metadata"]),
        (layer().short(b'3', "null", 0o666, "", b""), &["warning device"]),
        (layer().short(b'0', "su", 0o4755, "", b""), &["info setuid"]),
        (layer().hardlink("h", "../x"), &["error hardlink-escape"]),
        (layer().hardlink("h", "x"), &["warning hardlink-missing"]),
        (layer().folder("d").hardlink("h", "d"), &["error hardlink-to-folder"]),
        (layer().symlink("l", ""), &["error empty-link"]),
        (layer().file("/", b""), &["warning absolute", "error root-not-folder"]),
        (layer().long(b'L', &[b'n'; 256]).file("x", b""), &["error name-too-long"]),
        (layer().add(Member { uid: 65536, ..Member::default() }), &["warning high-id"]),
        (pax("SCHILY.xattr.user.overlay.redirect", b"/x"), &["warning reserved-xattr"]),
        (layer().add(Member { flag: b'Z', ..Member::default() }), &["error type"]),
    ];
    for (archive, expected) in cases {
        assert_eq!(problems(archive.end()), expected);
    }
}

#[test]
fn broken_and_padded_archives_are_told_apart() {
    let good = layer().file("f", &[1; 600]).end();
    assert_eq!(problems(good[..700].to_vec()), ["error truncated"]);
    assert!(problems([good.clone(), vec![0; 5000]].concat()).is_empty());
    assert_eq!(problems([good.clone(), b"tail".to_vec()].concat()), ["warning trailing-data"]);
    let mut changed = good;
    changed[3] ^= 1;
    assert_eq!(problems(changed), ["error checksum"]);
    assert_eq!(problems(b"\x1f\x8b\x08 but no gzip".to_vec()), ["error decode"]);
}

#[test]
fn a_small_file_that_becomes_a_huge_one_is_a_bomb() {
    let size = 300 << 20;
    let head = layer().add(Member { size: Some(size), ..Member::default() }).bytes;
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    std::io::copy(
        &mut std::io::Read::chain(head.as_slice(), std::io::Read::take(std::io::repeat(0), size + 1024)),
        &mut encoder,
    )
    .unwrap();
    assert_eq!(problems(encoder.finish().unwrap()), ["error bomb"]);
}

#[test]
fn listing_gives_one_line_an_entry() {
    let records: &[(&str, &[u8])] = &[("mtime", b"5.5"), ("SCHILY.xattr.user.a", b"1"), ("path", b"b\xff")];
    let bytes = Archive::owned_by(3, 4).symlink("l", "t").pax(b'x', records).file("f", b"123").end();
    let mut lines = Vec::new();
    list(bytes.as_slice(), &mut |line| {
        lines.push(serde_json::from_str::<serde_json::Value>(&line).unwrap());
        Ok(())
    })
    .unwrap();
    assert_eq!(
        lines,
        [
            serde_json::json!({"path": "l", "type": "symlink", "mode": "0777", "uid": 3, "gid": 4, "size": 0, "mtime": 1_000_000_000, "offset": 0, "link": "t"}),
            serde_json::json!({"path": "b\u{fffd}", "type": "file", "mode": "0644", "uid": 3, "gid": 4, "size": 3, "mtime": 5,
                "mtimeNanoseconds": 500_000_000, "offset": 512, "xattrs": ["user.a"]}),
        ]
    );
}
