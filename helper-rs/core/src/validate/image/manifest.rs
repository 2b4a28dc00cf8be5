//! image-spec, manifest.md and image-index.md.

use super::descriptor::{self, DESCRIPTOR};
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};
use crate::validate::shape::{optional, required, Object, Shape, I64, TEXT_MAP};

const OF: &str = "manifest.md#image-manifest-property-descriptions";
const INDEX_OF: &str = "image-index.md#image-index-property-descriptions";
const PROPERTIES: &str = "descriptor.md#properties";
const DIGESTS: &str = "descriptor.md#digests";
const EMBEDDED: &str = "descriptor.md#embedded-content";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

pub static MANIFEST: Object = Object {
    section: OF,
    fields: &[
        required("schemaVersion", I64),
        optional("mediaType", Shape::Text),
        optional("artifactType", Shape::Text),
        required("config", Shape::Object(&DESCRIPTOR)),
        required("layers", Shape::List(&Shape::Object(&DESCRIPTOR))),
        optional("subject", Shape::Object(&DESCRIPTOR)),
        optional("annotations", TEXT_MAP),
    ],
};

pub static INDEX: Object = Object {
    section: INDEX_OF,
    fields: &[
        required("schemaVersion", I64),
        optional("mediaType", Shape::Text),
        optional("artifactType", Shape::Text),
        required("manifests", Shape::List(&Shape::Object(&DESCRIPTOR))),
        optional("subject", Shape::Object(&DESCRIPTOR)),
        optional("annotations", TEXT_MAP),
    ],
};

const MEDIA_TYPE: Rule = error(
    "descriptor-media-type",
    PROPERTIES,
    "the media type of a descriptor follows RFC 6838",
    descriptor::media_types,
);
const DIGEST: Rule = error(
    "descriptor-digest",
    DIGESTS,
    "digests follow the grammar, and the length of their algorithm",
    descriptor::digests,
);
const URL: Rule = error("descriptor-url", PROPERTIES, "the URLs of a descriptor follow RFC 3986", descriptor::urls);
const DATA: Rule = error("descriptor-data", EMBEDDED, "embedded data is base 64 of `size` bytes", descriptor::embedded);

pub static OF_MANIFEST: &[Rule] = &[
    error("schema-version", OF, "`schemaVersion` is 2", schema_version),
    error("media-type", OF, "`mediaType` is that of an image manifest", |root, found| {
        media_type(
            root,
            found,
            &["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"],
        );
    }),
    error("artifact-type", OF, "`artifactType` is a media type (RFC 6838)", descriptor::artifact_types),
    error("artifact-empty-config", OF, "a manifest whose config is empty has an `artifactType`", |root, found| {
        let config = root.get("config").and_then(|config| config.text_at("mediaType"));
        if config == Some(EMPTY) && root.get("artifactType").is_none() {
            found.at("$.artifactType", "\"artifactType\" is required when the config is the empty value");
        }
    }),
    warning("layers-empty", OF, "there is at least one layer", |root, found| {
        if root.get("layers").is_some_and(|layers| layers.value.as_array().is_some_and(Vec::is_empty)) {
            found.at("$.layers", "for portability there should be at least one layer");
        }
    }),
    MEDIA_TYPE,
    DIGEST,
    URL,
    DATA,
];

pub static OF_INDEX: &[Rule] = &[
    error("schema-version", INDEX_OF, "`schemaVersion` is 2", schema_version),
    error("media-type", INDEX_OF, "`mediaType` is that of an image index", |root, found| {
        media_type(
            root,
            found,
            &["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"],
        );
    }),
    error("artifact-type", INDEX_OF, "`artifactType` is a media type (RFC 6838)", descriptor::artifact_types),
    MEDIA_TYPE,
    DIGEST,
    URL,
    DATA,
];

fn schema_version(root: &Node, found: &mut Findings) {
    if root.integer_at("schemaVersion").is_some_and(|version| version != 2) {
        found.at("$.schemaVersion", "the schema version must be 2");
    }
}

fn media_type(root: &Node, found: &mut Findings, known: &[&str]) {
    let expected = known.first().copied().unwrap_or_default();
    let message = |text: &str| format!("{text:?} is not {expected}");
    found.unless(root.get("mediaType"), |text| known.contains(&text), message);
}
