//! Merged copies of layers.

use super::{folder, layer, xattr, Archive, Tree};
use crate::layers::flatten::flatten;

/// Unpacks layers, top first, merges them and gives the tree of the copy.
fn merge(layers: Vec<Archive>) -> Tree {
    let trees: Vec<Tree> = layers.iter().map(|_| Tree::new()).collect();
    for (tree, layer) in trees.iter().zip(layers) {
        tree.unpack(layer.end());
    }
    let copy = Tree::new();
    flatten(&trees.iter().map(Tree::root).collect::<Vec<_>>(), &copy.root()).unwrap();
    copy
}

fn names(tree: &Tree, path: &str) -> Vec<String> {
    let listed = std::fs::read_dir(tree.at(path)).unwrap();
    let mut names: Vec<String> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn upper_layers_win_and_whiteouts_hide() {
    let copy = merge(vec![
        layer().file("both", b"top").file(".wh.gone", b"").file("d/.wh.x", b"").file("d/new", b"1"),
        layer().file("both", b"middle").file("d/y", b"2"),
        layer().file("both", b"low").file("gone/deep/f", b"").file("d/x", b"").file("d/z", b"3").symlink("l", "both"),
    ]);
    assert_eq!(names(&copy, ""), ["both", "d", "l"]);
    assert_eq!(names(&copy, "d"), ["new", "y", "z"]);
    assert_eq!((copy.read("both"), copy.read("l")), ("top".into(), "top".into()));
}

#[test]
fn opaque_folders_hide_everything_below_them() {
    let copy = merge(vec![
        layer().file("d/a", b""),
        layer().file("d/.wh..wh..opq", b"").file("d/b", b""),
        layer().file("d/c", b"").file("d/sub/x", b""),
    ]);
    assert_eq!(names(&copy, "d"), ["a", "b"]);
    assert_eq!(xattr(&copy.at("d"), "user.overlay.opaque"), None, "the copy is no layer");
}

#[test]
fn a_file_between_two_folders_ends_the_merge() {
    let copy = merge(vec![layer().file("d/top", b""), layer().file("d", b"file"), layer().file("d/low", b"")]);
    assert_eq!(names(&copy, "d"), ["top"]);
    let copy = merge(vec![layer().file("d", b"file"), layer().file("d/low", b"")]);
    assert_eq!(copy.read("d"), "file");
}

#[test]
fn hard_links_times_modes_and_attributes_are_kept() {
    let attribute: &[(&str, &[u8])] = &[("SCHILY.xattr.user.kept", b"1"), ("mtime", b"1234567890.5")];
    let copy = merge(vec![
        layer().file("new", b""),
        layer()
            .pax(b'x', attribute)
            .short(b'5', "d", 0o750, "", b"")
            .pax(b'x', attribute)
            .short(b'0', "d/f", 0o4711, "", b"content")
            .hardlink("g", "d/f")
            .short(b'6', "fifo", 0o600, "", b""),
    ]);
    assert_eq!((copy.stat("d/f").st_ino, copy.stat("d/f").st_nlink), (copy.stat("g").st_ino, 2));
    assert_eq!((copy.stat("d").st_mode, copy.stat("d/f").st_mode), (0o040750, 0o104711));
    for path in ["d", "d/f"] {
        let stat = copy.stat(path);
        assert_eq!((stat.st_mtime, stat.st_mtime_nsec), (1_234_567_890, 500_000_000), "{path}");
        assert_eq!(xattr(&copy.at(path), "user.kept").unwrap(), b"1");
    }
    assert_eq!((copy.read("g").as_str(), copy.stat("fifo").st_mode), ("content", 0o010600));
}

#[test]
fn large_and_sparse_files_arrive_whole() {
    let body: Vec<u8> = (0..1_000_000u32).map(|at| (at % 253) as u8).collect();
    let keys = [("GNU.sparse.name", &b"s"[..]), ("GNU.sparse.size", b"50000000"), ("GNU.sparse.map", b"20000000,4")];
    let copy = merge(vec![layer().file("large", &body).pax(b'x', &keys).file("x", b"data")]);
    assert!(std::fs::read(copy.at("large")).unwrap() == body);
    let sparse = std::fs::read(copy.at("s")).unwrap();
    assert_eq!((sparse.len(), &sparse[20_000_000..20_000_004]), (50_000_000, &b"data"[..]));
    assert!(copy.stat("s").st_blocks < 1000);
}

#[test]
fn a_target_that_is_not_empty_is_no_target() {
    let source = Tree::new();
    source.unpack(layer().file("f", b"new").end());
    let target = Tree::new();
    target.unpack(layer().file("f", b"old").end());
    assert!(flatten(&[source.root()], &target.root()).is_err());
    assert_eq!(target.read("f"), "old");
    drop(folder(&target.root()));
}
