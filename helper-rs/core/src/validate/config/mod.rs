//! config.json of the runtime-spec, as of 1.3 (which 1.2 is a part of).

mod cgroups;
mod devices;
mod general;
mod hooks;
mod ids;
mod kernel;
mod mounts;
mod namespaces;
mod platforms;
mod process;
pub mod seccomp;
mod shapes;

use super::node::Node;
use super::rule::Table;

pub static TABLE: Table = Table {
    shape: &shapes::CONFIG,
    rules: &[
        general::RULES,
        process::RULES,
        mounts::RULES,
        hooks::RULES,
        namespaces::RULES,
        ids::RULES,
        devices::RULES,
        cgroups::RULES,
        kernel::RULES,
        seccomp::IN_CONFIG,
        platforms::RULES,
    ],
    null_is_absent: false,
};

/// Whether `linux.namespaces` has this type, new or joined.
fn has_namespace(root: &Node, kind: &str) -> bool {
    root.list(&["linux", "namespaces"]).iter().any(|one| one.text_at("type") == Some(kind))
}
