//! Compression, digests and broken streams.

use super::{layer, Options, Tree};
use flate2::write::GzEncoder;
use flate2::Compression;
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A frame that decoders leave out, as zstd:chunked appends its table of contents.
fn skippable(content: &[u8]) -> Vec<u8> {
    [&[0x50, 0x2a, 0x4d, 0x18][..], &(content.len() as u32).to_le_bytes(), content].concat()
}

#[test]
fn gzip_zstd_and_plain_layers_unpack_to_the_same_tree_and_digest() {
    let plain = layer().file("f", &[b'x'; 100_000]).end();
    let (first, second) = plain.split_at(5000);
    let mut digests = Vec::new();
    for layer in [
        plain.clone(),
        gzip(&plain),
        [gzip(first), gzip(second), gzip(b"")].concat(),
        zstd(&plain),
        [zstd(first), skippable(b"table"), zstd(second), skippable(b"footer")].concat(),
        [skippable(b"first"), zstd(&plain)].concat(),
    ] {
        let tree = Tree::new();
        digests.push(tree.unpack(layer).diff_id);
        assert_eq!(tree.read("f"), "x".repeat(100_000));
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn the_digest_covers_what_follows_the_end_of_the_archive() {
    let mut padded = layer().file("f", b"1").end();
    let short = Tree::new().unpack(padded.clone()).diff_id;
    padded.resize(20_480, 0);
    assert_ne!(Tree::new().unpack(padded).diff_id, short);
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Tree::new().unpack(Vec::new()).diff_id, empty);
}

#[test]
fn a_wrong_digest_is_refused() {
    let tree = Tree::new();
    let bytes = layer().file("f", b"1").end();
    let right = tree.unpack(bytes.clone()).diff_id;
    let with = |diff_id: &str| Options { diff_id: Some(diff_id.into()), ..Options::default() };
    assert!(Tree::new().unpack_with(bytes.clone(), &with(&right)).is_ok());
    let failure = Tree::new().unpack_with(bytes, &with("sha256:00")).expect_err("another digest");
    let message = failure.message.unwrap();
    assert!(message.contains("sha256:00") && message.contains(&right), "{message}");
}

#[test]
fn a_stream_cut_short_or_changed_is_refused() {
    let plain =
        layer().file("f", &(0..200_000u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect::<Vec<_>>()).end();
    for packed in [gzip(&plain), zstd(&plain)] {
        for cut in [packed.len() / 2, packed.len() - 1, 12] {
            let failure = Tree::new().refused(packed[..cut].to_vec());
            assert!(failure.message.unwrap().contains("cannot read the layer"), "cut at {cut}");
        }
    }
    let mut broken = gzip(&plain);
    let end = broken.len();
    broken[end - 6] ^= 1;
    Tree::new().refused(broken);
    Tree::new().refused([gzip(&plain), b"garbage after the last member".to_vec()].concat());
}

#[test]
fn what_is_no_layer_is_refused() {
    let text = "not an archive ".repeat(100);
    assert!(Tree::new().refused(text.into_bytes()).message.unwrap().contains("checksum"));
    let failure = Tree::new().refused(b"\xfd7zXZ\0and so on".to_vec());
    assert!(failure.message.unwrap().contains("xz"));
}

#[test]
fn a_zstd_window_that_would_break_the_memory_bound_is_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&layer().file("f", &[1; 300_000]).end()).unwrap();
    let failure = Tree::new().refused(encoder.finish().unwrap());
    assert!(failure.message.unwrap().contains("memory"));
}
