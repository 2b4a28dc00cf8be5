//! Trees become archives and archives trees: what a container changed as a layer, and files copied to where others are.

use super::{folder, layer, Tree};
use crate::layers::pack::{add_top, Blob, Compression, Layers, Means, Scope, Style, Tarball, Walk};
use crate::layers::unpack::{put, Owner, Policy};
use rootless_core::tar::{Entry, Kind, Reader};
use rustix::fs::{fsetxattr, mknodat, FileType, Mode, XattrFlags, CWD};
use rustix::process::{getegid, geteuid};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};

/// The layer of what `top` changed against `lowers`, by its entries.
fn packed(tree: &Tree, lowers: &[&str], top: &str, means: Means) -> Vec<Entry> {
    let lowers: Layers = lowers.iter().map(|name| folder(&tree.at(name))).collect();
    let mount_points: BTreeSet<Vec<u8>> = [&b"proc"[..], b"etc/hosts", b"var/lib/mounted"].map(<[u8]>::to_vec).into();
    let scope = Scope::new(means, mount_points);
    let mut tar = Tarball::new(Vec::new(), Style::default(), Vec::new());
    Walk { top: &folder(&tree.at(top)), lowers: &lowers, scope: &scope, visitor: &mut tar }.run().unwrap();
    let bytes = tar.finish().unwrap();
    let mut reader = Reader::new(bytes.as_slice());
    std::iter::from_fn(|| reader.next_entry().unwrap()).collect()
}

fn names(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| String::from_utf8(entry.path.clone()).unwrap()).collect()
}

fn make(tree: &Tree, files: &[&str]) {
    for file in files {
        let path = tree.at(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match file.ends_with('/') {
            true => fs::create_dir_all(path).unwrap(),
            false => fs::write(path, file).unwrap(),
        }
    }
}

fn whiteout(tree: &Tree, name: &str) {
    mknodat(CWD, tree.at(name), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
}

#[test]
fn an_upper_folder_becomes_whiteouts_opaque_folders_links_and_files_in_the_order_of_names() {
    let tree = Tree::new();
    make(&tree, &["low/etc/a", "low/etc/b", "low/home/x", "low/home/y", "low/keep/k"]);
    make(&tree, &["up/etc/a", "up/home/new", "up/twin", "up/proc/", "up/etc/hosts"]);
    fs::write(tree.at("up/etc/hosts"), "").unwrap();
    whiteout(&tree, "up/etc/b");
    whiteout(&tree, "up/etc/never");
    fsetxattr(folder(&tree.at("up/home")), "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    fs::hard_link(tree.at("up/twin"), tree.at("up/zwin")).unwrap();
    let entries = packed(&tree, &["low"], "up", Means::Upper);
    let expected = ["etc/", "etc/a", "etc/.wh.b", "home/", "home/.wh..wh..opq", "home/new", "twin", "zwin"];
    assert_eq!(names(&entries), expected);
    let link = entries.last().unwrap();
    assert_eq!((link.kind, link.link.as_slice()), (Kind::Hardlink, &b"twin"[..]));
    assert!(entries.iter().all(|entry| entry.xattrs.is_empty()), "overlay's own marks stay here");
}

#[test]
fn a_folder_that_is_only_on_the_way_is_told_when_something_in_it_is() {
    let tree = Tree::new();
    make(&tree, &["low/a/b/c/file", "low/var/lib/x", "up/a/b/c/file", "up/var/lib/mounted/"]);
    assert_eq!(names(&packed(&tree, &["low"], "up", Means::Upper)), ["a/", "a/b/", "a/b/c/", "a/b/c/file"]);
}

#[test]
fn a_whole_copy_is_compared_with_the_layers_below_it() {
    let tree = Tree::new();
    make(&tree, &["low/same", "low/changed", "low/gone", "low/d/same", "low/was-file", "low/hidden", "top/hidden"]);
    whiteout(&tree, "top/gone");
    let copied = crate::layers::flatten::flatten(&[tree.at("top"), tree.at("low")], {
        fs::create_dir(tree.at("copy")).unwrap();
        &tree.at("copy")
    });
    copied.unwrap();
    assert_eq!(names(&packed(&tree, &["top", "low"], "copy", Means::Compare)), [""; 0]);
    fs::write(tree.at("copy/changed"), "more than before").unwrap();
    fs::remove_file(tree.at("copy/same")).unwrap();
    fs::remove_file(tree.at("copy/was-file")).unwrap();
    make(&tree, &["copy/was-file/inner", "copy/gone"]);
    fs::set_permissions(tree.at("copy/d"), fs::Permissions::from_mode(0o700)).unwrap();
    let expected = [".wh.same", "changed", "d/", "gone", "was-file/", "was-file/inner"];
    assert_eq!(names(&packed(&tree, &["top", "low"], "copy", Means::Compare)), expected);
}

#[test]
fn equal_trees_give_equal_blobs_whose_digests_are_right() {
    let tree = Tree::new();
    make(&tree, &["up/b", "up/a/c"]);
    let sums = |name: &str, compression| {
        let path = tree.at(name);
        let blob = Blob::start(fs::File::create(&path).unwrap(), compression).unwrap();
        let style = Style { latest: Some(1_000_000), ..Style::default() };
        let mut tar = Tarball::new(blob, style, Vec::new());
        let scope = Scope::new(Means::Upper, BTreeSet::new());
        Walk { top: &folder(&tree.at("up")), lowers: &Vec::new(), scope: &scope, visitor: &mut tar }.run().unwrap();
        tar.finish().unwrap().finish().unwrap()
    };
    let first = sums("one", Compression::Gzip);
    assert_eq!(first, sums("two", Compression::Gzip));
    assert_eq!(fs::read(tree.at("one")).unwrap(), fs::read(tree.at("two")).unwrap());
    assert_eq!(first.blob_size, fs::metadata(tree.at("one")).unwrap().len());
    for (name, compression) in [("plain", Compression::None), ("zstd", Compression::Zstd)] {
        let sums = sums(name, compression);
        assert_eq!((sums.diff_id.as_str(), sums.size), (first.diff_id.as_str(), first.size), "{name}");
        let inside = Tree::new();
        let summary = inside.unpack(fs::read(tree.at(name)).unwrap());
        assert_eq!((summary.diff_id, inside.read("a/c")), (sums.diff_id, "up/a/c".into()));
    }
}

#[test]
fn what_a_folder_holds_comes_back_as_it_was_holes_and_attributes_too() {
    let (tree, other) = (Tree::new(), Tree::new());
    make(&tree, &["from/dir/file"]);
    fs::set_permissions(tree.at("from/dir/file"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("dir/file", tree.at("from/link")).unwrap();
    let hole = fs::File::create(tree.at("from/hole")).unwrap();
    hole.set_len(1 << 24).unwrap();
    fsetxattr(&hole, "user.note", b"kept", XattrFlags::empty()).unwrap();
    let mut tar = Tarball::new(Vec::new(), Style { sparse: true, ..Style::default() }, b"to/".to_vec());
    let top = folder(&tree.at("from"));
    add_top(&mut tar, &top, b"to".to_vec()).unwrap();
    Walk { top: &top, lowers: &Vec::new(), scope: &Scope::all(false), visitor: &mut tar }.run().unwrap();
    let bytes = tar.finish().unwrap();
    assert!(bytes.len() < 1 << 16, "the hole was written out");
    let (summary, read) = put(bytes.as_slice(), folder(&other.root()), copying()).unwrap();
    assert_eq!((summary.entries, read), (5, bytes.len() as u64));
    assert_eq!(other.read("to/dir/file"), "from/dir/file");
    assert_eq!(other.stat("to/dir/file").st_mode & 0o7777, 0o640);
    assert_eq!(other.read("to/link"), "from/dir/file");
    assert_eq!((other.stat("to/hole").st_size, other.stat("to/hole").st_blocks), (1 << 24, 0));
    assert_eq!(super::xattr(&other.at("to/hole"), "user.note"), Some(b"kept".to_vec()));
    assert_eq!(other.stat("to/dir").st_mtime, tree.stat("from/dir").st_mtime);
}

fn copying() -> Policy {
    let owner = Owner::One(geteuid().as_raw(), getegid().as_raw());
    Policy { copy: true, owner, ..Policy::default() }
}

fn refused(tree: &Tree, bytes: &[u8]) -> String {
    let failure = put(bytes, folder(&tree.root()), copying()).expect_err("must be refused");
    tree.assert_untouched();
    failure.message.unwrap_or_default()
}

#[test]
fn a_copy_replaces_files_merges_folders_and_never_one_by_the_other() {
    let tree = Tree::new();
    make(&tree, &["file", "dir/kept"]);
    put(
        layer().file("file", b"new").folder("dir").file("dir/more", b"m").end().as_slice(),
        folder(&tree.root()),
        copying(),
    )
    .unwrap();
    assert_eq!(
        (tree.read("file"), tree.read("dir/kept"), tree.read("dir/more")),
        ("new".into(), "dir/kept".into(), "m".into())
    );
    assert!(refused(&tree, &layer().file("dir", b"x").end()).contains("overwrite a folder"));
    assert!(refused(&tree, &layer().symlink("dir", "x").end()).contains("overwrite a folder"));
    assert!(refused(&tree, &layer().hardlink("dir", "file").end()).contains("overwrite a folder"));
    assert!(refused(&tree, &layer().folder("file").end()).contains("with a folder"));
    assert!(refused(&tree, &layer().file("./", b"").end()).contains("overwrite a folder"));
    assert_eq!(tree.read("dir/kept"), "dir/kept");
}

#[test]
fn whiteout_names_are_names_in_a_copy_and_the_folder_copied_to_keeps_its_mode() {
    let tree = Tree::new();
    make(&tree, &["x"]);
    fs::set_permissions(tree.root(), fs::Permissions::from_mode(0o711)).unwrap();
    put(layer().folder("./").file(".wh.x", b"").end().as_slice(), folder(&tree.root()), copying()).unwrap();
    assert_eq!((tree.read("x"), tree.exists(".wh.x")), ("x".into(), true));
    assert_eq!(tree.stat("").st_mode & 0o7777, 0o711);
}

#[test]
fn a_copy_below_a_base_stays_there_and_goes_through_links_inside_the_root_only() {
    let tree = Tree::new();
    make(&tree, &["base/"]);
    symlink(tree.0.join("outside"), tree.at("base/out")).unwrap();
    symlink("/base", tree.at("in")).unwrap();
    let policy = Policy { base: b"in".to_vec(), ..copying() };
    put(layer().file("f", b"1").hardlink("g", "f").end().as_slice(), folder(&tree.root()), policy.clone()).unwrap();
    assert_eq!((tree.read("base/f"), tree.stat("base/g").st_nlink), ("1".into(), 2));
    let _ = put(layer().file("out/secret", b"evil").end().as_slice(), folder(&tree.root()), policy.clone());
    let _ = put(layer().file("../../evil", b"x").end().as_slice(), folder(&tree.root()), policy);
    tree.assert_untouched();
}

#[test]
fn folders_that_their_owner_may_not_use_are_closed_when_all_is_in_them() {
    let tree = Tree::new();
    let folder_of = |path: &'static str, mode| super::archive::Member {
        path: path.as_bytes(),
        mode,
        flag: b'5',
        ..Default::default()
    };
    let bytes = layer()
        .add(folder_of("ro/", 0o555))
        .add(folder_of("ro/none/", 0))
        .file("ro/none/f", b"1")
        .add(folder_of("ro/none/below/", 0o100))
        .file("ro/g", b"2")
        .end();
    // The second time they are there, and closed.
    for time in 1..=2 {
        put(bytes.as_slice(), folder(&tree.root()), copying()).unwrap_or_else(|failure| panic!("{time}: {failure}"));
        assert_eq!((tree.stat("ro").st_mode & 0o7777, tree.read("ro/g")), (0o555, "2".into()));
        assert_eq!(tree.stat("ro/none").st_mode & 0o7777, 0);
    }
    fs::set_permissions(tree.at("ro/none"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!((tree.read("ro/none/f"), tree.stat("ro/none/below").st_mode & 0o7777), ("1".into(), 0o100));
}

#[test]
fn set_id_bits_are_left_out_where_files_go_to_the_caller() {
    let tree = Tree::new();
    let member = super::archive::Member { path: b"su", mode: 0o6755, ..Default::default() };
    put(layer().add(member).end().as_slice(), folder(&tree.root()), Policy { harmless: true, ..copying() }).unwrap();
    assert_eq!(tree.stat("su").st_mode & 0o7777, 0o755);
}

#[test]
fn what_estargz_adds_for_lazy_readers_is_not_unpacked() {
    let tree = Tree::new();
    let bytes = layer()
        .file(".prefetch.landmark", b"\x0f")
        .file("a/stargz.index.json", b"kept")
        .file("stargz.index.json", b"{}");
    let summary = tree.unpack(bytes.end());
    assert!(
        !tree.exists(".prefetch.landmark") && !tree.exists("stargz.index.json") && tree.exists("a/stargz.index.json")
    );
    assert_eq!(summary.entries, 3);
}
