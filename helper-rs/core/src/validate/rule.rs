//! A rule: its name, where the specification says it, and the function that checks it.

use super::node::Node;
use super::shape::Object;
use super::{Level, Problem, RuleInfo};

/// What a check finds; the rule adds the rest.
pub struct Findings<'a> {
    rule: &'static Rule,
    problems: &'a mut Vec<Problem>,
}

impl Findings<'_> {
    pub fn at(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(self.rule.problem(path, message));
    }

    /// Reports every node of the list that `good` refuses.
    pub fn unless<'v>(
        &mut self,
        nodes: impl IntoIterator<Item = Node<'v>>,
        good: impl Fn(&str) -> bool,
        message: impl Fn(&str) -> String,
    ) {
        for node in nodes {
            match node.text() {
                Some(text) if !good(text) => self.at(&node.path, message(text)),
                _ => {}
            }
        }
    }
}

pub struct Rule {
    pub name: &'static str,
    pub section: &'static str,
    pub level: Level,
    /// What must hold, in one sentence.
    pub text: &'static str,
    /// Quiet about values of a wrong type: those are reported by the shape.
    pub check: fn(&Node, &mut Findings),
}

impl Rule {
    pub fn run(&'static self, root: &Node, problems: &mut Vec<Problem>) {
        (self.check)(root, &mut Findings { rule: self, problems });
    }

    pub fn problem(&self, path: impl Into<String>, message: impl Into<String>) -> Problem {
        let (path, message) = (path.into(), message.into());
        Problem { path, rule: self.name, section: self.section, level: self.level, message }
    }

    pub fn info(&self, kind: &'static str) -> RuleInfo {
        RuleInfo { kind, rule: self.name, section: self.section, level: self.level, text: self.text }
    }
}

/// A kind of document.
pub struct Table {
    pub shape: &'static Object,
    pub rules: &'static [&'static [Rule]],
    /// The image-spec: "any OPTIONAL field MAY also be set to null, which is equivalent to being absent".
    pub null_is_absent: bool,
}

pub const fn error(
    name: &'static str,
    section: &'static str,
    text: &'static str,
    check: fn(&Node, &mut Findings),
) -> Rule {
    Rule { name, section, level: Level::Error, text, check }
}

pub const fn warning(
    name: &'static str,
    section: &'static str,
    text: &'static str,
    check: fn(&Node, &mut Findings),
) -> Rule {
    Rule { name, section, level: Level::Warning, text, check }
}

/// Rules that are checked while reading, for every kind of document.
pub static GENERAL: [Rule; 6] = [
    error("json", "", "the document is JSON (RFC 8259) of at most 127 levels", |_, _| {}),
    error("duplicate-key", "", "no object has the same key twice: programs differ in which one counts", |_, _| {}),
    error("type", "", "each known property has the type that the specification gives it", |_, _| {}),
    error("required", "", "properties that are REQUIRED are there", |_, _| {}),
    error("range", "", "integers fit the type that the specification gives them", |_, _| {}),
    warning(
        "spelling",
        "",
        "names are written as the specification does, which means upper and lower case too",
        |_, _| {},
    ),
];
