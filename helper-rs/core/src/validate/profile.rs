//! Seccomp profiles that are files of their own: the OCI's form, and docker's (archMap, includes, excludes, comment).

use super::config::seccomp;
use super::rule::{error, Rule, Table};
use super::shape::{optional, required, Object, Shape, TEXTS, U32, U64};

const SECTION: &str = "config-linux.md#seccomp";

pub static TABLE: Table = Table { shape: &PROFILE, rules: &[seccomp::IN_PROFILE, RULES], null_is_absent: true };

static RULES: &[Rule] = &[
    error("profile-names", SECTION, "each rule has `names`, or docker's old `name`", |root, found| {
        for rule in root.list(&["syscalls"]) {
            if rule.value.is_object() && rule.get("names").is_none() && rule.get("name").is_none() {
                found.at(format!("{}.names", rule.path), "\"names\" is required");
            }
        }
    }),
    error(
        "profile-architectures",
        SECTION,
        "`architectures` and docker's `archMap` are not both given",
        |root, found| {
            let given = |name: &str| !root.list(&[name]).is_empty();
            if given("architectures") && given("archMap") {
                found.at("$.archMap", "use either \"architectures\" or \"archMap\"");
            }
        },
    ),
    error("profile-kernel", SECTION, "`minKernel` is MAJOR.MINOR", |root, found| {
        let number = |part: &str| !part.is_empty() && part.len() < 5 && part.bytes().all(|b| b.is_ascii_digit());
        let version = |text: &str| text.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor));
        for rule in root.list(&["syscalls"]) {
            for side in ["includes", "excludes"] {
                let node = rule.find(&[side, "minKernel"]);
                found.unless(node, version, |text| format!("{text:?} is not MAJOR.MINOR"));
            }
        }
    }),
];

static PROFILE: Object = Object {
    section: SECTION,
    fields: &[
        required("defaultAction", Shape::Text),
        optional("defaultErrnoRet", U32),
        optional("architectures", TEXTS),
        optional("archMap", Shape::List(&Shape::Object(&ARCH_MAP))),
        optional("flags", TEXTS),
        optional("listenerPath", Shape::Text),
        optional("listenerMetadata", Shape::Text),
        optional("syscalls", Shape::List(&Shape::Object(&SYSCALL))),
    ],
};

static ARCH_MAP: Object =
    Object { section: SECTION, fields: &[required("architecture", Shape::Text), optional("subArchitectures", TEXTS)] };

static SYSCALL: Object = Object {
    section: SECTION,
    fields: &[
        optional("names", TEXTS),
        optional("name", Shape::Text),
        required("action", Shape::Text),
        optional("errnoRet", U32),
        optional("args", Shape::List(&Shape::Object(&ARG))),
        optional("comment", Shape::Text),
        optional("includes", Shape::Object(&CONDITION)),
        optional("excludes", Shape::Object(&CONDITION)),
    ],
};

static ARG: Object = Object {
    section: SECTION,
    fields: &[required("index", U32), required("value", U64), optional("valueTwo", U64), required("op", Shape::Text)],
};

static CONDITION: Object = Object {
    section: SECTION,
    fields: &[optional("caps", TEXTS), optional("arches", TEXTS), optional("minKernel", Shape::Text)],
};
