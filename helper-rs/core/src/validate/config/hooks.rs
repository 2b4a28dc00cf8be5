//! config.md, "POSIX-platform Hooks".

use crate::validate::grammar::{is_absolute, is_assignment};
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Rule};

const SECTION: &str = "config.md#posix-platform-hooks";
const POINTS: &[&str] = &["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

pub static RULES: &[Rule] = &[
    error("hook-path", SECTION, "the path of a hook is absolute", |root, found| {
        let paths = hooks(root).into_iter().filter_map(|hook| hook.get("path"));
        found.unless(paths, is_absolute, |text| format!("{text:?} is not absolute"));
    }),
    error("hook-timeout", SECTION, "the timeout of a hook is greater than zero", |root, found| {
        for hook in hooks(root) {
            if hook.integer_at("timeout").is_some_and(|seconds| seconds <= 0) {
                found.at(format!("{}.timeout", hook.path), "a timeout is a number of seconds greater than zero");
            }
        }
    }),
    warning("hook-env", SECTION, "entries of a hook's `env` are NAME=value", |root, found| {
        let entries = hooks(root).into_iter().flat_map(|hook| hook.list(&["env"]));
        found.unless(entries, is_assignment, |text| format!("{text:?} is not NAME=value"));
    }),
];

fn hooks<'v>(root: &Node<'v>) -> Vec<Node<'v>> {
    POINTS.iter().flat_map(|point| root.list(&["hooks", point])).collect()
}
