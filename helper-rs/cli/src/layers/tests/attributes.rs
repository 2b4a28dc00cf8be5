//! Owners, modes, times, attributes, holes.

use super::archive::Member;
use super::{layer, xattr, Options, Tree};
use rustix::process::{getegid, geteuid};

#[test]
fn modes_are_exact_whatever_the_umask_with_the_set_id_and_sticky_bits() {
    let tree = Tree::new();
    let mut archive = layer();
    for mode in [0o000, 0o400, 0o644, 0o777, 0o4755, 0o2755, 0o6711, 0o1777, 0o7777] {
        archive = archive.short(b'0', &format!("f{mode:o}"), mode, "", b"x").short(
            b'5',
            &format!("d{mode:o}"),
            mode,
            "",
            b"",
        );
    }
    tree.unpack(archive.end());
    for mode in [0o000, 0o400, 0o644, 0o777, 0o4755, 0o2755, 0o6711, 0o1777, 0o7777u32] {
        assert_eq!(tree.stat(&format!("f{mode:o}")).st_mode, 0o100000 | mode, "file {mode:o}");
        assert_eq!(tree.stat(&format!("d{mode:o}")).st_mode, 0o040000 | mode, "folder {mode:o}");
    }
}

#[test]
fn a_set_group_id_folder_hands_nothing_on() {
    let tree = Tree::new();
    tree.unpack(layer().short(b'5', "d", 0o2775, "", b"").folder("d/sub").file("d/f", b"").file("d/made/f", b"").end());
    assert_eq!(tree.stat("d/sub").st_mode & 0o7777, 0o755);
    assert_eq!(tree.stat("d/made").st_mode & 0o7777, 0o755);
    assert_eq!(tree.stat("d/f").st_gid, getegid().as_raw());
}

#[test]
fn times_are_kept_to_the_nanosecond_and_those_of_folders_survive_what_is_put_in_later() {
    let tree = Tree::new();
    let time: &[(&str, &[u8])] = &[("mtime", b"1234567890.123456789")];
    let archive =
        layer().pax(b'x', time).folder("d").pax(b'x', time).file("d/f", b"").pax(b'x', time).symlink("d/l", "f");
    tree.unpack(archive.pax(b'x', time).folder("./").file("d/later/x", b"").end());
    for path in ["d", "d/f", "d/l", ""] {
        let stat = tree.stat(path);
        assert_eq!((stat.st_mtime, stat.st_mtime_nsec), (1_234_567_890, 123_456_789), "{path}");
    }
}

#[test]
fn times_of_more_folders_than_are_kept_in_memory_are_set_too() {
    let tree = Tree::new();
    let mut archive = layer();
    let long = "n".repeat(250);
    for count in 0..1200 {
        let path = format!("{count:04}/{long}/{long}/{long}/{long}");
        archive = archive.long(b'L', path.as_bytes()).folder("x");
    }
    tree.unpack(archive.end());
    for count in [0, 600, 1199] {
        assert_eq!(tree.stat(&format!("{count:04}/{long}/{long}/{long}/{long}")).st_mtime, 1_000_000_000);
    }
    assert_eq!(std::fs::read_dir(tree.root()).unwrap().count(), 1200, "nothing else is left");
}

#[test]
fn missing_folders_are_made_with_mode_755() {
    let tree = Tree::new();
    tree.unpack(layer().file("a/b/c", b"").end());
    assert_eq!((tree.stat("a").st_mode & 0o7777, tree.stat("a/b").st_mode & 0o7777), (0o755, 0o755));
}

#[test]
fn the_root_entry_sets_the_root_folder_itself() {
    let tree = Tree::new();
    std::fs::set_permissions(tree.root(), std::os::unix::fs::PermissionsExt::from_mode(0o2700)).unwrap();
    tree.unpack(layer().folder("d").end());
    assert_eq!((tree.stat("").st_mode & 0o7777, tree.stat("d").st_mode & 0o7777), (0o755, 0o755));
    let tree = Tree::new();
    tree.unpack(layer().short(b'5', "./", 0o711, "", b"").end());
    assert_eq!(tree.stat("").st_mode & 0o7777, 0o711);
    tree.refused(layer().file("/", b"").end());
}

#[test]
fn holes_stay_holes() {
    let tree = Tree::new();
    let keys =
        [("GNU.sparse.name", &b"s"[..]), ("GNU.sparse.size", b"100000000"), ("GNU.sparse.map", b"0,4,50000000,4")];
    let summary = tree.unpack(layer().pax(b'x', &keys).file("x", b"headtail").end());
    let stat = tree.stat("s");
    assert_eq!((stat.st_size, summary.size), (100_000_000, 8));
    assert!(stat.st_blocks < 1000, "{} blocks", stat.st_blocks);
    let content = std::fs::read(tree.at("s")).unwrap();
    assert_eq!((&content[..4], &content[50_000_000..50_000_004]), (&b"head"[..], &b"tail"[..]));
}

#[test]
fn a_file_of_several_buffers_arrives_whole() {
    let tree = Tree::new();
    let body: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    tree.unpack(layer().file("small", b"1").file("large", &body).file("after", b"2").end());
    assert!(std::fs::read(tree.at("large")).unwrap() == body);
    assert_eq!(tree.read("after"), "2");
}

#[test]
fn device_nodes_become_empty_files_that_can_be_linked_and_are_counted() {
    let tree = Tree::new();
    let null = Member {
        path: b"dev/null",
        flag: b'3',
        mode: 0o666,
        uid: geteuid().as_raw().into(),
        gid: getegid().as_raw().into(),
        device: (1, 3),
        ..Member::default()
    };
    let summary = tree.unpack(layer().add(null).hardlink("dev/zero", "dev/null").end());
    assert_eq!((tree.stat("dev/null").st_mode, tree.stat("dev/null").st_size, summary.devices), (0o100666, 0, 1));
    assert_eq!(tree.stat("dev/null").st_nlink, 2);
}

#[test]
fn with_one_id_owners_are_recorded_and_not_given() {
    let tree = Tree::new();
    let options = Options { single_id: true, ..Options::default() };
    let foreign = |path, flag, mode| Member { path, flag, mode, uid: 12345, gid: 99999, ..Member::default() };
    let archive = layer()
        .add(foreign(b"f", b'0', 0o4755))
        .add(foreign(b"d", b'5', 0o2775))
        .add(Member { link: b"f", ..foreign(b"l", b'2', 0o777) })
        .add(Member { device: (1, 3), ..foreign(b"null", b'3', 0o666) })
        .file("mine", b"")
        .file(".wh.gone", b"");
    let summary = tree.unpack_with(archive.end(), &options).unwrap();
    assert_eq!((summary.max_uid, summary.max_gid), (12345, 99999));
    let recorded = |path: &str| {
        xattr(&tree.at(path), "user.containers.override_stat").map(|value| String::from_utf8(value).unwrap())
    };
    assert_eq!(recorded("f").as_deref(), Some("12345:99999:4755:file"));
    assert_eq!(recorded("d").as_deref(), Some("12345:99999:2775:dir"));
    assert_eq!(recorded("null").as_deref(), Some("12345:99999:0666:char-1-3"));
    assert_eq!(recorded("mine"), None);
    for path in ["f", "d", "l", "null"] {
        assert_eq!(tree.stat(path).st_uid, geteuid().as_raw(), "{path}");
    }
    assert_eq!(tree.stat("f").st_mode & 0o7777, 0o4755);
}
