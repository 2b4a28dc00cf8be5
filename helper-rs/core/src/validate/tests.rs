//! The fixtures of test/contract, which the other builds are compared on too; and limits that no fixture can show.

use super::{rules, validate, KINDS};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn fixtures(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/contract/fixtures").join(folder)
}

fn read(folder: &str, name: &str) -> String {
    std::fs::read_to_string(fixtures(folder).join(format!("{name}.json"))).unwrap()
}

/// The kind is the longest that the file's name begins with.
fn kind_of(name: &str) -> &'static str {
    KINDS.iter().copied().filter(|kind| name.starts_with(kind)).max_by_key(|kind| kind.len()).unwrap()
}

fn names(folder: &str) -> Vec<String> {
    let files = std::fs::read_dir(fixtures(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_string()).collect();
    names.sort();
    names
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let members = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

fn text_of(case: &Value, base: &str) -> String {
    if let Some(text) = case["text"].as_str() {
        return text.to_string();
    }
    if let Some([unit, count]) = case["repeat"].as_array().map(Vec::as_slice) {
        return unit.as_str().unwrap().repeat(count.as_u64().unwrap() as usize);
    }
    let mut document: Value = serde_json::from_str(base).unwrap();
    merge(&mut document, &case["patch"]);
    document.to_string()
}

fn found(kind: &str, text: &str) -> Vec<String> {
    validate(kind, text).unwrap().iter().map(|problem| format!("{} {}", problem.rule, problem.path)).collect()
}

#[test]
fn good_documents_have_no_problem() {
    for name in names("good") {
        assert_eq!(found(kind_of(&name), &read("good", &name)), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn each_bad_document_breaks_just_the_rules_that_it_names() {
    for name in names("bad") {
        let table: Value = serde_json::from_str(&read("bad", &name)).unwrap();
        let base = read("good", table["base"].as_str().unwrap());
        for case in table["cases"].as_array().unwrap() {
            let expected: Vec<&str> = case["breaks"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(found(&name, &text_of(case, &base)), expected, "{name}: {case}");
        }
    }
}

#[test]
fn every_rule_is_broken_by_a_fixture() {
    let mut broken = BTreeSet::new();
    for name in names("bad") {
        let table: Value = serde_json::from_str(&read("bad", &name)).unwrap();
        for case in table["cases"].as_array().unwrap() {
            for one in case["breaks"].as_array().unwrap() {
                let rule = one.as_str().unwrap().split(' ').next().unwrap().to_string();
                broken.insert(("any", rule.clone()));
                broken.insert((kind_of(&name), rule));
            }
        }
    }
    let missing: Vec<_> =
        rules().into_iter().filter(|rule| !broken.contains(&(rule.kind, rule.rule.to_string()))).collect();
    assert_eq!(missing, []);
}

#[test]
fn rules_are_named_once_a_kind_and_say_where_they_stand() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        assert!(seen.insert((rule.kind, rule.rule)), "{} twice", rule.rule);
        assert!(rule.rule.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.rule);
        assert!(rule.kind == "any" || rule.section.contains(".md#"), "{}: {:?}", rule.rule, rule.section);
        assert!(!rule.text.is_empty() && !rule.text.ends_with('.'));
    }
}

#[test]
fn all_problems_are_found_at_once() {
    let text = r#"{"ociVersion":"x","root":{},"process":{"cwd":"a","args":[],"user":{"uid":-1,"gid":"b"}},"linux":{"namespaces":[{"type":"pid"},{"type":"pid"}]}}"#;
    let expected = [
        "required $.root.path",
        "range $.process.user.uid",
        "type $.process.user.gid",
        "version-semver $.ociVersion",
        "process-args $.process.args",
        "process-cwd $.process.cwd",
        "default-filesystem $.mounts",
        "namespace-duplicate $.linux.namespaces[1]",
    ];
    assert_eq!(found("config", text), expected);
}

#[test]
fn text_that_is_no_json_names_line_and_column() {
    let problems = validate("config", "{\n  \"ociVersion\": \"1.0.2\",\n  }").unwrap();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.ends_with("at line 3 column 3"), "{}", problems[0].message);
}

#[test]
fn deep_documents_are_refused_on_a_small_stack() {
    let deep = |unit: &str| format!("{{\"x\":{}", unit.repeat(200_000));
    let thread = std::thread::Builder::new().stack_size(128 * 1024);
    let check = move || [found("config", &deep("[")), found("manifest", &deep("{\"a\":"))];
    let results = thread.spawn(check).unwrap().join().unwrap();
    assert_eq!(results, [["json $"], ["json $"]]);
}

#[test]
fn documents_as_deep_as_allowed_are_checked() {
    let text = format!(
        "{{\"ociVersion\":\"1.0.2\",\"root\":{{\"path\":\"rootfs\"}},\"x\":{}{}}}",
        "[".repeat(126),
        "]".repeat(126)
    );
    assert_eq!(found("config", &text), Vec::<String>::new());
}

#[test]
fn an_unknown_kind_is_an_error() {
    assert_eq!(validate("configs", "{}").unwrap_err().0, "configs");
}

#[test]
fn every_prefix_of_a_document_is_no_document() {
    let text = read("good", "config-full");
    let trimmed = text.trim_end();
    for end in (0..trimmed.len()).step_by(7) {
        assert_eq!(found("config", &trimmed[..end]), ["json $"], "{end}");
    }
}

/// Replaces every value of a document by values of other types: nothing panics, and what is said of types is said there.
#[test]
fn a_value_of_a_wrong_type_is_named_where_it_stands() {
    for name in names("good") {
        let document: Value = serde_json::from_str(&read("good", &name)).unwrap();
        for (pointer, path) in places(&document, "", "$") {
            for wrong in
                [Value::Null, true.into(), (-5).into(), 1e300.into(), "\u{1f9ea}".into(), Vec::<Value>::new().into()]
            {
                let mut broken = document.clone();
                *broken.pointer_mut(&pointer).unwrap() = wrong;
                for problem in validate(kind_of(&name), &broken.to_string()).unwrap() {
                    let of_type = matches!(problem.rule, "type" | "range");
                    assert!(!of_type || problem.path == path, "{name}: {path} is broken, not {problem:?}");
                }
            }
        }
    }
}

/// Every value below, as a JSON pointer and as a path of ours.
fn places(value: &Value, pointer: &str, path: &str) -> Vec<(String, String)> {
    let below: Vec<(String, String)> = match value {
        Value::Object(map) => {
            let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
            let each = |(name, value): (&String, &Value)| {
                places(value, &format!("{pointer}/{}", escape(name)), &format!("{path}{}", super::path::member(name)))
            };
            map.iter().flat_map(each).collect()
        }
        Value::Array(list) => {
            let each = |(at, value)| places(value, &format!("{pointer}/{at}"), &format!("{path}[{at}]"));
            list.iter().enumerate().flat_map(each).collect()
        }
        _ => Vec::new(),
    };
    std::iter::once((pointer.to_string(), path.to_string())).chain(below).collect()
}

fn errors(kind: &str, text: &str) -> Vec<String> {
    validate(kind, text)
        .unwrap()
        .iter()
        .filter(|problem| problem.is_error())
        .map(|problem| problem.path.clone())
        .collect()
}

/// What the specification's own schema takes and refuses, in documents of our own.
#[test]
fn documents_that_the_specifications_schema_takes_have_no_error_and_others_have() {
    for good in [
        r#"{"ociVersion": "1.0.0"}"#,
        r#"{"ociVersion": "1.0.0-rc5", "process": {"cwd": "/", "args": ["true"], "user": {"uid": 0, "gid": 0}}}"#,
        r#"{"ociVersion": "0.5.0-dev"}"#,
        r#"{"ociVersion": "1.3.0", "linux": {"netDevices": {"eth0": {"name": "container0"}, "ens4": {}}}}"#,
        r#"{"ociVersion": "1.0.0", "linux": {"resources": {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "rxe3": {"hcaObjects": 1}}}}}"#,
        r#"{"ociVersion": "1.3.0", "freebsd": {"devices": [{"path": "pf", "mode": 448}], "jail": {"vnet": "new", "ip4": "disable", "enforceStatfs": 1}}}"#,
        r#"{"ociVersion": "1.0.0", "zos": {"namespaces": [{"type": "pid"}]}}"#,
    ] {
        let rooted = good.replacen('{', r#"{"root": {"path": "rootfs"}, "#, 1);
        assert_eq!(errors("config", &rooted), Vec::<String>::new(), "{good}");
    }
    for (bad, path) in [
        (r#"{"ociVersion": "1.0.0",}"#, "$"),
        (r#"{"ociVersion": "1.3.0", "freebsd": {"jail": {"vnet": "off"}}}"#, "$.freebsd.jail.vnet"),
        (
            r#"{"ociVersion": "1.0.0", "linux": {"resources": {"hugepageLimits": [{"limit": 1, "pageSize": "2mB"}]}}}"#,
            "$.linux.resources.hugepageLimits[0].pageSize",
        ),
        (r#"{"ociVersion": "1.3.0", "linux": {"netDevices": {"eth0": {"name": 7}}}}"#, "$.linux.netDevices.eth0.name"),
        (
            r#"{"ociVersion": "1.0.0", "linux": {"resources": {"rdma": {"rxe3": {"hcaObjects": "many"}}}}}"#,
            "$.linux.resources.rdma.rxe3.hcaObjects",
        ),
    ] {
        let rooted = bad.replacen('{', r#"{"root": {"path": "rootfs"}, "#, 1);
        assert_eq!(errors("config", &rooted), [path], "{bad}");
    }
}
