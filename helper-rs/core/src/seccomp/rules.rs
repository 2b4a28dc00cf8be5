//! From the profile's list of rules to one decision a system call number.

use super::action::{self, BadAction};
use super::arch::Arch;
use super::condition::{self, Condition, ARGUMENTS};
use super::syscalls::{number, Number};
use super::SeccompError;
use crate::oci::runtime::{Seccomp, SeccompRule};
use std::collections::BTreeMap;

/// The answer for one system call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    Always(u32),
    /// The first clause whose conditions all hold decides; then `otherwise`.
    Ask {
        clauses: Vec<Clause>,
        otherwise: u32,
        wide: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clause {
    pub conditions: Vec<Condition>,
    pub answer: u32,
}

/// A rule of the profile, parsed once and used for every architecture.
pub struct Rule<'a> {
    names: &'a [String],
    /// Any of these clauses decides; one clause without conditions always does.
    clauses: Vec<Clause>,
}

/// Parses all rules in the profile's order.
pub fn parse(profile: &Seccomp) -> Result<Vec<Rule<'_>>, SeccompError> {
    profile.syscalls.iter().enumerate().map(|(index, rule)| parse_rule(index, rule)).collect()
}

fn parse_rule(index: usize, rule: &SeccompRule) -> Result<Rule<'_>, SeccompError> {
    let at = format!("syscalls[{index}]");
    let answer = answer(&at, &rule.action, rule.errno_ret)?;
    let mut conditions = Vec::with_capacity(rule.args.len());
    for (position, arg) in rule.args.iter().enumerate() {
        let at = format!("{at}.args[{position}]");
        if arg.index >= ARGUMENTS {
            return Err(SeccompError::ArgumentIndex { at, index: arg.index });
        }
        let test = condition::test(arg).ok_or_else(|| SeccompError::UnknownOperator { at, name: arg.op.clone() })?;
        conditions.push(Condition { index: arg.index, test });
    }
    Ok(Rule { names: &rule.names, clauses: clauses(conditions, answer) })
}

/// Conditions are ANDed, except when one argument is named twice: runc and crun then make each condition a rule of its
/// own, and profiles in use rely on that.
fn clauses(conditions: Vec<Condition>, answer: u32) -> Vec<Clause> {
    let repeated = (0..ARGUMENTS).any(|index| conditions.iter().filter(|one| one.index == index).count() > 1);
    if repeated {
        conditions.into_iter().map(|one| Clause { conditions: vec![one], answer }).collect()
    } else {
        vec![Clause { conditions, answer }]
    }
}

/// The action's value, or an error that says where it stands.
pub fn answer(at: &str, name: &str, data: Option<u32>) -> Result<u32, SeccompError> {
    action::value(name, data).map_err(|bad| match bad {
        BadAction::Unknown => SeccompError::UnknownAction { at: at.to_string(), name: name.to_string() },
        BadAction::DataTooLarge { data, limit } => SeccompError::ErrnoRange { at: at.to_string(), value: data, limit },
    })
}

/// One decision for each number that a rule names on this architecture; all other numbers get the default.
pub fn decide(rules: &[Rule<'_>], arch: Arch, otherwise: u32) -> BTreeMap<u32, Decision> {
    let mut clauses: BTreeMap<u32, Vec<Clause>> = BTreeMap::new();
    for rule in rules {
        for name in rule.names {
            if let Number::Is(number) = number(name, arch) {
                clauses.entry(number).or_default().extend(rule.clauses.iter().cloned());
            }
        }
    }
    clauses.into_iter().map(|(number, clauses)| (number, decision(clauses, otherwise, arch.wide()))).collect()
}

/// Nothing after an unconditional clause can be reached.
fn decision(mut clauses: Vec<Clause>, mut otherwise: u32, wide: bool) -> Decision {
    if let Some(end) = clauses.iter().position(|clause| clause.conditions.is_empty()) {
        otherwise = clauses.get(end).map_or(otherwise, |clause| clause.answer);
        clauses.truncate(end);
    }
    while clauses.last().is_some_and(|clause| clause.answer == otherwise) {
        clauses.pop();
    }
    if clauses.is_empty() {
        Decision::Always(otherwise)
    } else {
        Decision::Ask { clauses, otherwise, wide }
    }
}

/// Names that are no system call of Linux on any architecture, in the profile's order, each once.
pub fn unknown_names(profile: &Seccomp) -> Vec<String> {
    let mut unknown: Vec<String> = Vec::new();
    for name in profile.syscalls.iter().flat_map(|rule| &rule.names) {
        if number(name, Arch::X86_64) == Number::Unknown && !unknown.contains(name) {
            unknown.push(name.clone());
        }
    }
    unknown
}
