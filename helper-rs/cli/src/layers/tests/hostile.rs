//! Layers that try to get out.

use super::archive::Member;
use super::{layer, Tree};
use rustix::io::Errno;

#[test]
fn names_that_climb_out_are_refused() {
    for name in ["../evil", "a/../../evil", "/../evil", "..", "./.."] {
        let tree = Tree::new();
        let failure = tree.refused(layer().file(name, b"x").end());
        assert_eq!(failure.target.as_deref(), Some(name));
        assert!(failure.message.unwrap().contains("leads out"), "{name}");
    }
}

#[test]
fn absolute_names_and_dots_stay_inside() {
    let tree = Tree::new();
    tree.unpack(layer().file("/etc/passwd", b"a").file("x/../y", b"b").file("./././z//w", b"c").end());
    assert_eq!((tree.read("etc/passwd"), tree.read("y"), tree.read("z/w")), ("a".into(), "b".into(), "c".into()));
    assert!(!tree.exists("x"));
    tree.assert_untouched();
}

#[test]
fn a_way_through_a_symbolic_link_ends_inside_the_root() {
    let tree = Tree::new();
    let climb = "../".repeat(20) + "in";
    tree.unpack(
        layer().folder("in").symlink("abs", "/in").symlink("up", &climb).file("abs/a", b"1").file("up/b", b"2").end(),
    );
    assert_eq!((tree.read("in/a"), tree.read("in/b")), ("1".into(), "2".into()));
    tree.assert_untouched();
}

#[test]
fn a_way_through_a_symbolic_link_to_the_outside_is_refused() {
    let tree = Tree::new();
    let outside = tree.0.join("outside");
    for target in ["../outside", outside.to_str().unwrap()] {
        let tree = Tree::new();
        for attack in [
            layer().symlink("link", target).file("link/evil", b"x"),
            layer().symlink("link", target).folder("link/evil/"),
            layer().symlink("link", target).symlink("link/evil", "x"),
            layer().symlink("link", target).short(b'6', "link/evil", 0o600, "", b""),
            layer().symlink("link", target).hardlink("evil", "link/secret"),
            layer().file("f", b"x").symlink("link", target).hardlink("link/evil", "f"),
            layer().symlink("link", target).file("link/.wh.secret", b""),
            layer().symlink("link", target).file("link/.wh..wh..opq", b""),
            layer().symlink("a", "b").symlink("b", target).file("a/evil", b"x"),
        ] {
            let tree = Tree::new();
            tree.refused(attack.end());
        }
        tree.assert_untouched();
    }
}

#[test]
fn the_last_component_is_never_followed() {
    let tree = Tree::new();
    let secret = tree.secret();
    let target = secret.to_str().unwrap();
    tree.unpack(
        layer()
            .symlink("file", target)
            .file("file", b"mine")
            .symlink("device", target)
            .short(b'3', "device", 0o666, "", b"")
            .symlink("link", target)
            .hardlink("hard", "link")
            .file("hard", b"mine too")
            .end(),
    );
    assert_eq!((tree.read("file"), tree.read("hard")), ("mine".into(), "mine too".into()));
    assert_eq!(std::fs::read_link(tree.at("link")).unwrap(), secret);
    tree.assert_untouched();
}

#[test]
fn a_folder_entry_over_a_symbolic_link_replaces_the_link() {
    let tree = Tree::new();
    let outside = tree.0.join("outside");
    tree.unpack(layer().symlink("dir", outside.to_str().unwrap()).folder("dir/").file("dir/evil", b"x").end());
    assert_eq!(tree.read("dir/evil"), "x");
    tree.assert_untouched();
}

#[test]
fn a_folder_that_was_open_is_not_used_after_it_became_a_link() {
    let tree = Tree::new();
    let layer = layer().file("dir/a", b"1").symlink("dir", "other").folder("other").file("dir/b", b"2").end();
    tree.unpack(layer);
    assert_eq!(tree.read("other/b"), "2");
    assert_eq!(std::fs::read_dir(tree.at("other")).unwrap().count(), 1);
}

#[test]
fn hard_links_out_of_the_layer_or_to_folders_are_refused() {
    for target in ["../outside/secret", "/etc/passwd", "missing", "", ".", "dir"] {
        let tree = Tree::new();
        tree.refused(layer().folder("dir").hardlink("evil", target).end());
        assert!(!tree.exists("evil"), "{target}");
    }
}

#[test]
fn a_loop_of_links_is_refused() {
    let tree = Tree::new();
    let failure = tree.refused(layer().symlink("a", "b").symlink("b", "a").file("a/x", b"").end());
    assert_eq!(failure.errno, Some(Errno::LOOP.raw_os_error()));
}

#[test]
fn what_lies_below_a_file_is_refused() {
    let tree = Tree::new();
    let failure = tree.refused(layer().file("a", b"").file("a/b/c", b"").end());
    assert_eq!((failure.errno, failure.target.as_deref()), (Some(Errno::NOTDIR.raw_os_error()), Some("a/b/c")));
}

#[test]
fn ten_thousand_folders_deep_is_refused_and_two_thousand_work() {
    let deep = |count: usize| vec!["d"; count].join("/");
    let layer_of = |path: &str| layer().long(b'L', path.as_bytes()).file("x", b"deep").end();
    let tree = Tree::new();
    let failure = tree.refused(layer_of(&deep(10_000)));
    assert_eq!(failure.errno, Some(Errno::NAMETOOLONG.raw_os_error()));
    let path = deep(2000);
    tree.unpack(layer_of(&path));
    let file =
        rustix::fs::openat(super::folder(&tree.root()), &path, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty());
    assert_eq!(std::io::read_to_string(std::fs::File::from(file.unwrap())).unwrap(), "deep");
}

#[test]
fn a_name_longer_than_255_bytes_is_refused() {
    let tree = Tree::new();
    let failure = tree.refused(layer().long(b'L', &[b'n'; 256]).file("x", b"").end());
    assert_eq!(failure.errno, Some(Errno::NAMETOOLONG.raw_os_error()));
}

#[test]
fn a_fifo_is_made_and_never_opened() {
    let tree = Tree::new();
    tree.unpack(layer().short(b'6', "f", 0o640, "", b"").short(b'6', "f", 0o600, "", b"").end());
    assert_eq!(tree.stat("f").st_mode, 0o010600);
}

#[test]
fn what_overlayfs_or_the_id_emulation_would_believe_is_not_taken_from_a_layer() {
    let tree = Tree::new();
    let records = [
        ("SCHILY.xattr.user.overlay.redirect", &b"/etc"[..]),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.user.containers.override_stat", b"0:0:04755:file"),
        ("SCHILY.xattr.user.good", b"kept"),
    ];
    let summary = tree.unpack(layer().pax(b'x', &records).folder("d").pax(b'x', &records).file("f", b"").end());
    assert_eq!(summary.skipped_xattrs, 8);
    for path in ["d", "f"] {
        let at = tree.at(path);
        assert_eq!(super::xattr(&at, "user.good").unwrap(), b"kept");
        for (name, _) in &records[..4] {
            assert_eq!(super::xattr(&at, name.trim_start_matches("SCHILY.xattr.")), None, "{name} on {path}");
        }
    }
}

#[test]
fn a_malformed_archive_says_where_it_is_malformed() {
    let tree = Tree::new();
    let mut bytes = layer().file("a", b"1").file("b", b"2").end();
    bytes[1030] ^= 0x20;
    let failure = tree.refused(bytes);
    assert!(failure.message.unwrap().contains("at byte 1024"));
    let mut bytes = layer().file("a", b"1").add(Member { path: b"b", size: Some(1 << 40), ..Member::default() }).bytes;
    bytes.truncate(1536);
    let failure = tree.refused(bytes);
    assert!(failure.message.unwrap().contains("in the middle"));
}
