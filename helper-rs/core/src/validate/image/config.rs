//! image-spec, config.md: the image configuration.

use crate::validate::grammar::{digest_fault, is_absolute, is_assignment, is_timestamp};
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};
use crate::validate::shape::{optional, required, Object, Shape, I64, TEXTS, TEXT_MAP};

const SECTION: &str = "config.md#properties";

pub static CONFIG: Object = Object {
    section: SECTION,
    fields: &[
        optional("created", Shape::Text),
        optional("author", Shape::Text),
        required("architecture", Shape::Text),
        required("os", Shape::Text),
        optional("os.version", Shape::Text),
        optional("os.features", TEXTS),
        optional("variant", Shape::Text),
        optional("config", Shape::Object(&EXECUTION)),
        required("rootfs", Shape::Object(&ROOTFS)),
        optional("history", Shape::List(&Shape::Object(&HISTORY))),
    ],
};

static EMPTY: Object = Object { section: SECTION, fields: &[] };

static EXECUTION: Object = Object {
    section: SECTION,
    fields: &[
        optional("User", Shape::Text),
        optional("ExposedPorts", Shape::Map(&Shape::Object(&EMPTY))),
        optional("Env", TEXTS),
        optional("Entrypoint", TEXTS),
        optional("Cmd", TEXTS),
        optional("Volumes", Shape::Map(&Shape::Object(&EMPTY))),
        optional("WorkingDir", Shape::Text),
        optional("Labels", TEXT_MAP),
        optional("StopSignal", Shape::Text),
        optional("ArgsEscaped", Shape::Bool),
        optional("Memory", I64),
        optional("MemorySwap", I64),
        optional("CpuShares", I64),
        optional("Healthcheck", Shape::Object(&EMPTY)),
    ],
};

static ROOTFS: Object =
    Object { section: SECTION, fields: &[required("type", Shape::Text), required("diff_ids", TEXTS)] };

static HISTORY: Object = Object {
    section: SECTION,
    fields: &[
        optional("created", Shape::Text),
        optional("author", Shape::Text),
        optional("created_by", Shape::Text),
        optional("comment", Shape::Text),
        optional("empty_layer", Shape::Bool),
    ],
};

pub static RULES: &[Rule] = &[
    error("rootfs-type", SECTION, "`rootfs.type` is `layers`", |root, found| {
        found.unless(
            root.find(&["rootfs", "type"]),
            |text| text == "layers",
            |text| format!("{text:?} is not \"layers\""),
        );
    }),
    error("diff-id", SECTION, "each diffID is a digest", |root, found| {
        for node in root.list(&["rootfs", "diff_ids"]) {
            if let Some(fault) = node.text().and_then(digest_fault) {
                found.at(node.path, fault);
            }
        }
    }),
    warning(
        "history-layers",
        SECTION,
        "`history` has one entry for each layer, besides the empty ones",
        history_layers,
    ),
    error("created", SECTION, "dates are in the form of RFC 3339, section 5.6", |root, found| {
        let histories = root.list(&["history"]).into_iter().filter_map(|one| one.get("created"));
        let nodes: Vec<Node> = root.get("created").into_iter().chain(histories).collect();
        found.unless(nodes, is_timestamp, |text| format!("{text:?} is no date such as 2026-01-31T23:59:59Z"));
    }),
    error("env", SECTION, "entries of `Env` are NAME=value", |root, found| {
        found.unless(root.list(&["config", "Env"]), is_assignment, |text| format!("{text:?} is not NAME=value"));
    }),
    error("exposed-port", SECTION, "ports are `port`, `port/tcp` or `port/udp`", |root, found| {
        for (name, node) in root.members(&["config", "ExposedPorts"]) {
            if !is_port(name) {
                found.at(node.path, format!("{name:?} is not port, port/tcp or port/udp"));
            }
        }
    }),
    warning("volume-path", SECTION, "volumes are absolute paths", |root, found| {
        for (name, node) in root.members(&["config", "Volumes"]) {
            if !is_absolute(name) {
                found.at(node.path, format!("{name:?} is not absolute"));
            }
        }
    }),
    warning("working-dir", SECTION, "the working directory is absolute", |root, found| {
        let good = |text: &str| text.is_empty() || is_absolute(text);
        found.unless(root.find(&["config", "WorkingDir"]), good, |text| format!("{text:?} is not absolute"));
    }),
    error("stop-signal", SECTION, "the stop signal is SIGNAME, SIGRTMIN+3 or a number", |root, found| {
        let good = |text: &str| text.is_empty() || is_signal(text);
        found.unless(root.find(&["config", "StopSignal"]), good, |text| format!("{text:?} is no signal"));
    }),
];

fn history_layers(root: &Node, found: &mut Findings) {
    let history = root.list(&["history"]);
    let filled = history.iter().filter(|one| one.flag_at("empty_layer") != Some(true)).count();
    let layers = root.list(&["rootfs", "diff_ids"]).len();
    if !history.is_empty() && filled != layers {
        found.at("$.history", format!("{filled} entries are for layers, and there are {layers} layers"));
    }
}

/// docker also writes ranges of nothing: only single ports are in the specification, sctp is in use.
fn is_port(text: &str) -> bool {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    matches!(protocol, "tcp" | "udp" | "sctp")
        && !port.starts_with('+')
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

pub fn is_signal(text: &str) -> bool {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u8>().is_ok_and(|n| n <= 64);
    let real_time = ["RTMIN+", "RTMAX-"];
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let offset = real_time.iter().find_map(|prefix| name.strip_prefix(prefix));
    number(text)
        || offset.is_some_and(number)
        || (!name.is_empty()
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && !name.starts_with(|c: char| c.is_ascii_digit()))
}
