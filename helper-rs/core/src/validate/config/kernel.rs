//! config-linux.md: Intel RDT, memory policy, personality.

use super::process::one_of;
use crate::validate::grammar::{is_component, is_cpu_list};
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};

const RDT: &str = "config-linux.md#intelrdt";
const POLICY: &str = "config-linux.md#memory-policy";
const PERSONALITY: &str = "config-linux.md#personality";

const MODES: &[&str] = &[
    "MPOL_DEFAULT",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_WEIGHTED_INTERLEAVE",
    "MPOL_PREFERRED",
    "MPOL_PREFERRED_MANY",
    "MPOL_LOCAL",
];
const MODE_FLAGS: &[&str] = &["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"];

pub static RULES: &[Rule] = &[
    error("rdt-class", RDT, "`closID` is `/` or the name of one folder", |root, found| {
        let good = |text: &str| text == "/" || is_component(text);
        found.unless(root.find(&["linux", "intelRdt", "closID"]), good, |text| {
            format!("{text:?} is no name of a folder")
        });
    }),
    error("rdt-memory-bandwidth", RDT, "`memBwSchema` starts with `MB:` and has one line", |root, found| {
        let good = |text: &str| text.starts_with("MB:") && !text.contains('\n');
        found.unless(root.find(&["linux", "intelRdt", "memBwSchema"]), good, |text| format!("{text:?} is not MB:…"));
    }),
    warning("rdt-cache", RDT, "`l3CacheSchema` starts with `L3:` and has one line", |root, found| {
        let good = |text: &str| text.starts_with("L3:") && !text.contains('\n');
        found.unless(root.find(&["linux", "intelRdt", "l3CacheSchema"]), good, |text| format!("{text:?} is not L3:…"));
    }),
    error("rdt-schemata", RDT, "each entry of `schemata` is one line", |root, found| {
        let lines = root.list(&["linux", "intelRdt", "schemata"]);
        found.unless(lines, |text| !text.contains('\n'), |_| "the entry has more than one line".to_string());
    }),
    error("memory-policy-mode", POLICY, "the mode is one that the specification lists", |root, found| {
        one_of(found, root.find(&["linux", "memoryPolicy", "mode"]), MODES, "memory policy");
    }),
    error("memory-policy-flag", POLICY, "flags are those that the specification lists", |root, found| {
        one_of(found, root.list(&["linux", "memoryPolicy", "flags"]), MODE_FLAGS, "flag of a memory policy");
    }),
    error(
        "memory-policy-nodes",
        POLICY,
        "nodes look like 0-3,7 and suit the mode (set_mempolicy(2))",
        memory_policy_nodes,
    ),
    error("personality-domain", PERSONALITY, "the domain is LINUX or LINUX32", |root, found| {
        one_of(found, root.find(&["linux", "personality", "domain"]), &["LINUX", "LINUX32"], "execution domain");
    }),
    error("personality-flag", PERSONALITY, "no flags are defined", |root, found| {
        found.unless(
            root.list(&["linux", "personality", "flags"]),
            |_| false,
            |text| format!("{text:?}: no flag is supported"),
        );
    }),
];

fn memory_policy_nodes(root: &Node, found: &mut Findings) {
    let Some(policy) = root.find(&["linux", "memoryPolicy"]) else { return };
    let nodes = policy.text_at("nodes").unwrap_or_default();
    if !nodes.is_empty() && !is_cpu_list(nodes) {
        found.at(format!("{}.nodes", policy.path), format!("{nodes:?} is no list of nodes"));
    }
    match policy.text_at("mode") {
        Some("MPOL_DEFAULT" | "MPOL_LOCAL") if !nodes.is_empty() => {
            found.at(format!("{}.nodes", policy.path), "this mode takes no nodes");
        }
        Some("MPOL_BIND" | "MPOL_INTERLEAVE" | "MPOL_WEIGHTED_INTERLEAVE" | "MPOL_PREFERRED_MANY")
            if nodes.is_empty() =>
        {
            found.at(&policy.path, "this mode needs at least one node");
        }
        _ => {}
    }
}
