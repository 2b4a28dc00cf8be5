//! Whiteouts of the OCI image-spec ("Whiteouts") in the form that overlayfs reads.

use super::{layer, xattr, Tree};
use crate::layers::whiteout::is_whiteout;

fn opaque(tree: &Tree, path: &str) -> bool {
    xattr(&tree.at(path), "user.overlay.opaque").as_deref() == Some(b"y")
}

#[test]
fn a_whiteout_becomes_a_character_device_0_0() {
    let tree = Tree::new();
    tree.unpack(layer().file("d/.wh.gone", b"").file(".wh.top", b"ignored body").end());
    assert!(is_whiteout(&tree.stat("d/gone")) && is_whiteout(&tree.stat("top")));
    assert!(!tree.exists("d/.wh.gone") && !tree.exists(".wh.top") && !opaque(&tree, "d"));
}

#[test]
fn an_opaque_mark_becomes_an_attribute_of_its_folder() {
    let tree = Tree::new();
    tree.unpack(
        layer().folder("d").file("d/.wh..wh..opq", b"").file("new/.wh..wh..opq", b"").file(".wh..wh..opq", b"").end(),
    );
    assert!(opaque(&tree, "d") && opaque(&tree, "new") && opaque(&tree, ""));
    assert_eq!(std::fs::read_dir(tree.at("d")).unwrap().count(), 0);
}

#[test]
fn a_whiteout_never_hides_what_its_own_layer_has() {
    let tree = Tree::new();
    tree.unpack(layer().file("f", b"1").file(".wh.f", b"").file("d/x", b"2").file(".wh.d", b"").end());
    assert_eq!((tree.read("f"), tree.read("d/x")), ("1".into(), "2".into()));
    assert!(opaque(&tree, "d"), "what lower layers have in d is gone");
}

#[test]
fn a_folder_after_its_whiteout_hides_what_was_below() {
    let tree = Tree::new();
    tree.unpack(
        layer().file(".wh.d", b"").folder("d/").file("d/x", b"1").file(".wh.e", b"").file("e/deep/y", b"2").end(),
    );
    assert_eq!((tree.read("d/x"), tree.read("e/deep/y")), ("1".into(), "2".into()));
    assert!(opaque(&tree, "d") && opaque(&tree, "e") && !opaque(&tree, "e/deep"));
}

#[test]
fn a_whiteout_twice_is_one() {
    let tree = Tree::new();
    tree.unpack(layer().file(".wh.a", b"").file(".wh.a", b"").end());
    assert!(is_whiteout(&tree.stat("a")));
}

#[test]
fn whiteouts_that_name_nothing_are_refused() {
    for name in [".wh.", ".wh..", ".wh...", "d/.wh..."] {
        let tree = Tree::new();
        assert!(tree.refused(layer().file(name, b"").end()).message.unwrap().contains("names nothing"), "{name}");
    }
}

#[test]
fn bookkeeping_of_aufs_is_left_out() {
    let tree = Tree::new();
    tree.unpack(layer().folder(".wh..wh.plnk").file(".wh..wh.aufs", b"x").end());
    assert_eq!(std::fs::read_dir(tree.root()).unwrap().count(), 0);
}

#[test]
fn a_device_0_0_in_the_archive_deletes_nothing() {
    let tree = Tree::new();
    let summary = tree.unpack(layer().short(b'3', "usr", 0o644, "", b"").end());
    assert!(!is_whiteout(&tree.stat("usr")));
    assert_eq!(summary.devices, 1);
}
