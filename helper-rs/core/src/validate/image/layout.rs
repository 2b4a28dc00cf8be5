//! image-spec, image-layout.md: the file `oci-layout`.

use crate::validate::rule::{error, Rule};
use crate::validate::shape::{required, Object, Shape};

const SECTION: &str = "image-layout.md#oci-layout-file";

pub static LAYOUT: Object = Object { section: SECTION, fields: &[required("imageLayoutVersion", Shape::Text)] };

pub static RULES: &[Rule] = &[error("layout-version", SECTION, "`imageLayoutVersion` is 1.0.0", |root, found| {
    let message = |text: &str| format!("version {text:?} is unknown: only 1.0.0 is defined");
    found.unless(root.get("imageLayoutVersion"), |text| text == "1.0.0", message);
})];
