//! config-linux.md, "Seccomp": the same rules for `linux.seccomp` and for a profile that is a file of its own.

use super::process::one_of;
use crate::seccomp::{action, arch, condition, flags, syscalls};
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};

const SECTION: &str = "config-linux.md#seccomp";

/// Defines each rule twice: below `linux.seccomp`, and at the root of a profile.
macro_rules! rules {
    ($($level:ident($name:literal, $text:literal, $check:path);)*) => {
        pub static IN_CONFIG: &[Rule] = &[$($level($name, SECTION, $text, |root, found| {
            if let Some(filter) = root.find(&["linux", "seccomp"]) {
                $check(&filter, found);
            }
        })),*];
        pub static IN_PROFILE: &[Rule] = &[$($level($name, SECTION, $text, $check)),*];
    };
}

rules! {
    error("seccomp-action", "actions are those that the specification lists", known_actions);
    error("seccomp-default-notify", "the default action is not SCMP_ACT_NOTIFY", default_notify);
    error("seccomp-errno", "an errno is given only to ERRNO and TRACE, and is one that they can carry", errnos);
    error("seccomp-architecture", "architectures are those that the specification lists", architectures);
    error("seccomp-flag", "flags are those that the specification lists", filter_flags);
    error("seccomp-listener", "`listenerMetadata` is not set without `listenerPath`", listener);
    error("seccomp-names", "each rule names at least one system call", names_there);
    warning("seccomp-syscall", "names are system calls of Linux", names_known);
    error("seccomp-operator", "operators are those that the specification lists", operators);
    error("seccomp-argument", "system calls have arguments 0 to 5", argument_index);
    warning("seccomp-mask", "the value compared by MASKED_EQ has no bit outside its mask", masks);
}

fn rules_of<'v>(filter: &Node<'v>) -> Vec<Node<'v>> {
    filter.list(&["syscalls"])
}

fn args<'v>(filter: &Node<'v>) -> Vec<Node<'v>> {
    rules_of(filter).into_iter().flat_map(|rule| rule.list(&["args"])).collect()
}

fn known_actions(filter: &Node, found: &mut Findings) {
    let actions = rules_of(filter).into_iter().filter_map(|rule| rule.get("action"));
    one_of(found, filter.get("defaultAction").into_iter().chain(actions), action::NAMES, "seccomp action");
}

fn default_notify(filter: &Node, found: &mut Findings) {
    let good = |text: &str| text != "SCMP_ACT_NOTIFY";
    found.unless(filter.get("defaultAction"), good, |_| "the process that answers would wait for itself".to_string());
}

fn errnos(filter: &Node, found: &mut Findings) {
    errno(filter, "defaultAction", "defaultErrnoRet", found);
    for rule in rules_of(filter) {
        errno(&rule, "action", "errnoRet", found);
    }
}

fn errno(node: &Node, action: &str, name: &str, found: &mut Findings) {
    let (Some(action), Some(number)) = (node.text_at(action), node.integer_at(name)) else { return };
    let limit = match action {
        "SCMP_ACT_ERRNO" => action::MAX_ERRNO,
        "SCMP_ACT_TRACE" => action::MAX_TRACE,
        _ => {
            found.at(format!("{}.{name}", node.path), format!("{action} takes no errno"));
            return;
        }
    };
    if number > i128::from(limit) {
        found.at(format!("{}.{name}", node.path), format!("{action} carries at most {limit}"));
    }
}

fn architectures(filter: &Node, found: &mut Findings) {
    one_of(found, filter.list(&["architectures"]), arch::NAMES, "architecture");
}

fn filter_flags(filter: &Node, found: &mut Findings) {
    let known: Vec<&str> = flags::NAMES.iter().map(|flag| flag.0).collect();
    one_of(found, filter.list(&["flags"]), &known, "flag of seccomp(2)");
}

fn listener(filter: &Node, found: &mut Findings) {
    let set = |name: &str| filter.text_at(name).is_some_and(|text| !text.is_empty());
    if set("listenerMetadata") && !set("listenerPath") {
        found.at(format!("{}.listenerMetadata", filter.path), "there is no \"listenerPath\" to send it to");
    }
}

/// Very old docker profiles have one `name`.
fn names_there(filter: &Node, found: &mut Findings) {
    for rule in rules_of(filter) {
        let empty = rule.get("names").is_some_and(|names| names.items().next().is_none());
        if empty && rule.get("name").is_none() {
            found.at(format!("{}.names", rule.path), "at least one system call is required");
        }
    }
}

fn names_known(filter: &Node, found: &mut Findings) {
    for rule in rules_of(filter) {
        let Some(names) = rule.get("names") else { continue };
        let texts = names.value.as_array().map_or(&[][..], |list| list).iter().enumerate();
        for (index, text) in texts.filter_map(|(index, value)| Some((index, value.as_str()?))) {
            if !syscalls::exists(text) {
                found.at(
                    format!("{}[{index}]", names.path),
                    format!("{text:?} is no system call: the rule does nothing"),
                );
            }
        }
    }
}

fn operators(filter: &Node, found: &mut Findings) {
    one_of(found, args(filter).into_iter().filter_map(|arg| arg.get("op")), condition::NAMES, "operator");
}

fn argument_index(filter: &Node, found: &mut Findings) {
    for arg in args(filter) {
        if arg.integer_at("index").is_some_and(|index| index >= i128::from(condition::ARGUMENTS)) {
            found.at(format!("{}.index", arg.path), "a system call has arguments 0 to 5");
        }
    }
}

fn masks(filter: &Node, found: &mut Findings) {
    for arg in args(filter).into_iter().filter(|arg| arg.text_at("op") == Some("SCMP_CMP_MASKED_EQ")) {
        let (Some(mask), datum) = (arg.integer_at("value"), arg.integer_at("valueTwo").unwrap_or(0)) else { continue };
        if datum & !mask != 0 {
            found.at(arg.path, "\"valueTwo\" has bits outside the mask \"value\": they are ignored");
        }
    }
}
