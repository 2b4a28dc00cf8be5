//! image-spec, descriptor.md: what points to a blob.

use crate::validate::grammar::{base64_length, digest_fault, is_media_type, is_uri};
use crate::validate::node::Node;
use crate::validate::rule::Findings;
use crate::validate::shape::{optional, required, Object, Shape, TEXTS, TEXT_MAP};

pub static DESCRIPTOR: Object = Object {
    section: "descriptor.md#properties",
    fields: &[
        required("mediaType", Shape::Text),
        required("digest", Shape::Text),
        required("size", Shape::Integer(0, i64::MAX as i128)),
        optional("urls", TEXTS),
        optional("annotations", TEXT_MAP),
        optional("data", Shape::Text),
        optional("artifactType", Shape::Text),
        optional("platform", Shape::Object(&PLATFORM)),
    ],
};

static PLATFORM: Object = Object {
    section: "image-index.md#image-index-property-descriptions",
    fields: &[
        required("architecture", Shape::Text),
        required("os", Shape::Text),
        optional("os.version", Shape::Text),
        optional("os.features", TEXTS),
        optional("variant", Shape::Text),
    ],
};

/// Every descriptor of a manifest or an index.
pub fn descriptors<'v>(root: &Node<'v>) -> Vec<Node<'v>> {
    let single = ["config", "subject"].into_iter().filter_map(|name| root.get(name));
    let lists = ["layers", "manifests"].into_iter().flat_map(|name| root.list(&[name]));
    single.chain(lists).collect()
}

pub fn media_types(root: &Node, found: &mut Findings) {
    let nodes = descriptors(root).into_iter().filter_map(|one| one.get("mediaType"));
    found.unless(nodes, is_media_type, |text| format!("{text:?} is no media type (RFC 6838)"));
}

pub fn artifact_types(root: &Node, found: &mut Findings) {
    let below = descriptors(root).into_iter().filter_map(|one| one.get("artifactType"));
    let nodes: Vec<Node> = root.get("artifactType").into_iter().chain(below).collect();
    found.unless(nodes, is_media_type, |text| format!("{text:?} is no media type (RFC 6838)"));
}

pub fn digests(root: &Node, found: &mut Findings) {
    for node in descriptors(root).into_iter().filter_map(|one| one.get("digest")) {
        if let Some(fault) = node.text().and_then(digest_fault) {
            found.at(node.path, fault);
        }
    }
}

pub fn urls(root: &Node, found: &mut Findings) {
    let nodes = descriptors(root).into_iter().flat_map(|one| one.list(&["urls"]));
    found.unless(nodes, is_uri, |text| format!("{text:?} is no URI (RFC 3986)"));
}

pub fn embedded(root: &Node, found: &mut Findings) {
    for one in descriptors(root) {
        let Some(data) = one.text_at("data") else { continue };
        match (base64_length(data), one.integer_at("size")) {
            (None, _) => found.at(format!("{}.data", one.path), "the data is not base 64 (RFC 4648, section 4)"),
            (Some(bytes), Some(size)) if i128::try_from(bytes) != Ok(size) => {
                found.at(format!("{}.data", one.path), format!("the data has {bytes} bytes, \"size\" says {size}"));
            }
            _ => {}
        }
    }
}
