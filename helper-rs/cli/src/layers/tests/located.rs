//! One folder of the merged view: what a volume is filled with, whatever a hostile layer makes of its path.

use super::{folder, layer, Archive, Tree};
use crate::layers::flatten::{flatten_open, locate};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Layers unpacked, top first.
struct Stack(Vec<Tree>);

impl Stack {
    fn new(layers: Vec<Archive>) -> Stack {
        let unpacked = layers.into_iter().map(|layer| {
            let tree = Tree::new();
            tree.unpack(layer.end());
            tree
        });
        Stack(unpacked.collect())
    }

    fn open(&self) -> Vec<OwnedFd> {
        self.0.iter().map(|tree| folder(&tree.root())).collect()
    }

    /// Names of a copy of the folder at `path`; `None` if there is none.
    fn names(&self, path: &str) -> Option<Vec<String>> {
        let found = locate(&self.open(), Path::new(path)).unwrap()?;
        let copy = Tree::new();
        flatten_open(found, folder(&copy.root())).unwrap();
        let listed = std::fs::read_dir(copy.root()).unwrap();
        let mut names: Vec<String> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        Some(names)
    }
}

fn some(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(ToString::to_string).collect())
}

#[test]
fn a_folder_adds_up_from_all_layers_that_have_it() {
    let stack = Stack::new(vec![
        layer().file("a/b/top", b"").file("a/b/.wh.gone", b""),
        layer().file("a/other", b""),
        layer().file("a/b/low", b"").file("a/b/gone", b""),
    ]);
    assert_eq!(stack.names("/a/b"), some(&["low", "top"]));
    assert_eq!(stack.names("a//./b/../b/"), some(&["low", "top"]));
    assert_eq!(stack.names("/a/../../../a/b"), some(&["low", "top"]));
    assert_eq!(stack.names("/a/none"), None);
    assert_eq!(stack.names("/a/other"), None, "a file");
}

#[test]
fn whiteouts_opaque_folders_and_files_above_hide() {
    let stack = Stack::new(vec![
        layer().file(".wh.gone", b"").file("d/.wh..wh..opq", b"").file("d/sub/new", b"").file("f", b""),
        layer().file("gone/x", b"").file("d/sub/old", b"").file("f/x", b""),
    ]);
    assert_eq!(stack.names("/gone"), None);
    assert_eq!(stack.names("/d/sub"), some(&["new"]));
    assert_eq!(stack.names("/f"), None);
}

#[test]
fn links_stay_inside_and_end() {
    let outside = Tree::new();
    let target = outside.0.join("outside").display().to_string();
    let stack = Stack::new(vec![
        layer().symlink("out", &target).symlink("up", "../../../../../../../etc").symlink("a", "b").symlink("b", "a"),
        layer().file("real/x", b"").symlink("way", "/real").symlink("deep/way", "../way").file("etc/own", b""),
    ]);
    assert_eq!(stack.names("/way"), some(&["x"]));
    assert_eq!(stack.names("/deep/way"), some(&["x"]));
    assert_eq!(stack.names("/up"), some(&["own"]), "the image's own");
    assert_eq!(stack.names("/out"), None);
    assert_eq!(stack.names("/a"), None);
    assert_eq!(stack.names("/a/x"), None);
}
