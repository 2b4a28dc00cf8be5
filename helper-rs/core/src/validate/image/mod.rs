//! Documents of the image-spec 1.1: manifest, index, config, oci-layout. docker's own media types are taken too.

pub mod config;
mod descriptor;
mod layout;
mod manifest;

use super::rule::Table;

pub static MANIFEST: Table =
    Table { shape: &manifest::MANIFEST, rules: &[manifest::OF_MANIFEST], null_is_absent: true };
pub static INDEX: Table = Table { shape: &manifest::INDEX, rules: &[manifest::OF_INDEX], null_is_absent: true };
pub static CONFIG: Table = Table { shape: &config::CONFIG, rules: &[config::RULES], null_is_absent: true };
pub static LAYOUT: Table = Table { shape: &layout::LAYOUT, rules: &[layout::RULES], null_is_absent: true };
