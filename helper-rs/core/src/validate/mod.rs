//! Checks OCI documents against their specifications: all problems at once, each with its JSON path, rule and section.
//!
//! Unknown properties are allowed, as the specifications demand. Files are never looked at: only what the document says.

mod config;
pub(crate) mod grammar;
mod image;
mod node;
mod parse;
mod path;
mod profile;
mod rule;
mod shape;
#[cfg(test)]
mod tests;

use node::Node;
use rule::Table;
use serde::Serialize;

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `$.process.args[0]`
    pub path: String,
    /// Stable name, for scripts and tests.
    pub rule: &'static str,
    /// Document and heading of the specification: `config-linux.md#namespaces`.
    pub section: &'static str,
    pub level: Level,
    pub message: String,
}

impl Problem {
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }
}

/// Errors break a MUST or cannot work on Linux; warnings break a SHOULD or will not do what they seem to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warning,
}

/// The kinds of documents are [`KINDS`]; this is none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKind(pub String);

/// What `validate` knows: runtime-spec config, image-spec documents, and seccomp profiles (the OCI's form and docker's).
pub const KINDS: &[&str] = &["config", "manifest", "index", "image-config", "layout", "seccomp"];

/// Checks one document. Text that is not JSON is a problem too, not an error.
pub fn validate(kind: &str, json: &str) -> Result<Vec<Problem>, UnknownKind> {
    let table = table(kind).ok_or_else(|| UnknownKind(kind.to_string()))?;
    let mut problems = Vec::new();
    if let Some(mut document) = parse::parse(json, &mut problems) {
        if table.null_is_absent {
            parse::drop_nulls(&mut document);
        }
        let root = Node::root(&document);
        shape::check(&root, table.shape, &mut problems);
        for rule in table.rules.iter().copied().flatten() {
            rule.run(&root, &mut problems);
        }
    }
    Ok(problems)
}

/// A rule as documentation: what `rules` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RuleInfo {
    pub kind: &'static str,
    pub rule: &'static str,
    pub section: &'static str,
    pub level: Level,
    /// What must hold, in one sentence.
    pub text: &'static str,
}

/// Every rule of every kind. Those that hold for all documents (`json`, `type`, …) have the kind `any`.
pub fn rules() -> Vec<RuleInfo> {
    let general = rule::GENERAL.iter().map(|rule| rule.info("any"));
    let of_kind = |kind: &'static str| {
        let tables = table(kind).map_or(&[][..], |table| table.rules);
        tables.iter().copied().flatten().map(move |rule| rule.info(kind))
    };
    general.chain(KINDS.iter().flat_map(|kind| of_kind(kind))).collect()
}

fn table(kind: &str) -> Option<&'static Table> {
    match kind {
        "config" => Some(&config::TABLE),
        "manifest" => Some(&image::MANIFEST),
        "index" => Some(&image::INDEX),
        "image-config" => Some(&image::CONFIG),
        "layout" => Some(&image::LAYOUT),
        "seccomp" => Some(&profile::TABLE),
        _ => None,
    }
}
