//! Trees that are hard to delete.

use super::{layer, Tree};
use crate::layers::remove::remove_tree;
use rustix::fs::{mkdirat, openat, Mode, OFlags};
use std::os::unix::fs::PermissionsExt;

#[test]
fn ten_thousand_folders_deep_are_deleted() {
    let tree = Tree::new();
    let mut at = super::folder(&tree.root());
    for depth in 0..10_000 {
        mkdirat(&at, "deep", Mode::RWXU).unwrap();
        if depth % 50 == 0 {
            mkdirat(&at, "beside", Mode::RWXU).unwrap();
        }
        at = openat(&at, "deep", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    }
    drop(at);
    remove_tree(&tree.root()).unwrap();
    assert!(!tree.root().exists());
}

#[test]
fn symbolic_links_are_deleted_and_not_followed() {
    let tree = Tree::new();
    let outside = tree.0.join("outside");
    let target = outside.to_str().unwrap();
    tree.unpack(layer().symlink("dir", target).symlink("a/file", target).file("a/f", b"").end());
    remove_tree(&tree.root()).unwrap();
    assert!(!tree.root().exists());
    std::fs::create_dir(tree.root()).unwrap();
    tree.assert_untouched();
    std::os::unix::fs::symlink(target, tree.at("itself")).unwrap();
    remove_tree(&tree.at("itself")).unwrap();
    tree.assert_untouched();
}

#[test]
fn folders_without_any_permission_are_deleted() {
    let tree = Tree::new();
    tree.unpack(layer().file("work/work/x/y", b"").file("r/f", b"").file("full/sub/f", b"").end());
    for (path, mode) in
        [("work/work/x", 0o000), ("work/work", 0o000), ("r", 0o500), ("full/sub", 0o300), ("full", 0o444)]
    {
        std::fs::set_permissions(tree.at(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    remove_tree(&tree.root()).unwrap();
    assert!(!tree.root().exists());
}

#[test]
fn a_file_goes_too_and_what_is_missing_is_no_failure() {
    let tree = Tree::new();
    tree.unpack(layer().file("f", b"").end());
    remove_tree(&tree.at("f")).unwrap();
    remove_tree(&tree.at("f")).unwrap();
    remove_tree(&tree.at("no/such/way")).unwrap();
    assert!(!tree.exists("f"));
}

#[test]
fn a_failure_names_the_path() {
    let tree = Tree::new();
    tree.unpack(layer().file("f", b"").end());
    let failure = remove_tree(&tree.at("f/below")).expect_err("a file has nothing below");
    assert_eq!(failure.step, "remove");
    assert!(failure.target.unwrap().ends_with("root/f/below"));
}
