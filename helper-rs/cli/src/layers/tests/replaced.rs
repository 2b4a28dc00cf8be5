//! Names that come twice: the last entry wins, whatever stood there.

use super::{layer, Tree};
use rustix::fs::FileType;

fn make(archive: super::Archive, kind: &str) -> super::Archive {
    match kind {
        "file" => archive.file("x", b"new"),
        "folder" => archive.folder("x/").file("x/inside", b"y"),
        "symlink" => archive.symlink("x", "nowhere"),
        "hardlink" => archive.hardlink("x", "other"),
        "fifo" => archive.short(b'6', "x", 0o600, "", b""),
        "device" => archive.short(b'3', "x", 0o600, "", b""),
        _ => archive.file(".wh.x", b""),
    }
}

#[test]
fn every_kind_replaces_every_other_kind() {
    let kinds = ["file", "folder", "symlink", "hardlink", "fifo", "device"];
    for old in kinds.into_iter().chain(["whiteout"]) {
        for new in kinds {
            let tree = Tree::new();
            tree.unpack(make(make(layer().file("other", b"other"), old), new).end());
            let found = FileType::from_raw_mode(tree.stat("x").st_mode);
            let expected = match new {
                "folder" => FileType::Directory,
                "symlink" => FileType::Symlink,
                "fifo" => FileType::Fifo,
                _ => FileType::RegularFile,
            };
            assert_eq!(found, expected, "{old} then {new}");
            match new {
                "file" => assert_eq!(tree.read("x"), "new"),
                "hardlink" => assert_eq!(tree.stat("x").st_ino, tree.stat("other").st_ino),
                "device" => assert_eq!(tree.read("x"), ""),
                _ => {}
            }
            assert_eq!(tree.read("other"), "other", "{old} then {new}");
        }
    }
}

#[test]
fn a_second_folder_entry_keeps_the_content_and_changes_the_folder() {
    let tree = Tree::new();
    tree.unpack(layer().folder("d").file("d/f", b"1").short(b'5', "d", 0o700, "", b"").end());
    assert_eq!((tree.read("d/f").as_str(), tree.stat("d").st_mode & 0o7777), ("1", 0o700));
}

#[test]
fn a_hard_link_to_itself_changes_nothing() {
    let tree = Tree::new();
    tree.unpack(layer().file("f", b"1").hardlink("f", "f").hardlink("g", "f").hardlink("g", "f").end());
    assert_eq!((tree.read("f").as_str(), tree.stat("f").st_nlink), ("1", 2));
}

#[test]
fn replacing_a_linked_file_leaves_its_other_name_alone() {
    let tree = Tree::new();
    tree.unpack(layer().file("f", b"1").hardlink("g", "f").file("f", b"2").end());
    assert_eq!((tree.read("f").as_str(), tree.read("g").as_str()), ("2", "1"));
}

#[test]
fn a_folder_with_much_in_it_gives_way_to_a_file() {
    let tree = Tree::new();
    let mut archive = layer();
    for count in 0..200 {
        archive = archive.file(&format!("x/a/b{}/f", count % 20), b"1").file(&format!("x/f{count}"), b"2");
    }
    tree.unpack(archive.file("x", b"file").end());
    assert_eq!(tree.read("x"), "file");
}
