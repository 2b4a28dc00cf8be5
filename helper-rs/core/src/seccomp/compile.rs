//! Lays out the filter: architecture, then a binary search over ranges of numbers, then conditions on arguments.

use super::action::{lets_through, KILL_PROCESS, NOTIFY};
use super::arch::Arch;
use super::assemble::{Assembler, Compare, Target};
use super::condition::{Condition, Test};
use super::rules::{self, Clause, Decision};
use super::{Program, SeccompError};
use crate::oci::runtime::Seccomp;
use std::collections::BTreeMap;

/// Offsets in struct seccomp_data (linux/seccomp.h); all supported architectures are little-endian.
const NR: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

/// SCMP_ACT_ERRNO with EPERM, which nearly every profile has by default, and with ENOSYS.
const DENIED: u32 = 0x0005_0001;
const UNKNOWN: u32 = 0x0005_0026;

/// ptrace sets the number to -1 to skip a call; it belongs to no architecture.
const SKIPPED: u32 = u32::MAX;

/// Compiles a profile for a kernel whose own architecture is `native`, which is always included.
///
/// Calls of architectures that are not listed get the default action when it denies; under a default that lets calls
/// through they kill the process, because no rule could have been meant for their numbers.
pub fn compile(profile: &Seccomp, native: Arch) -> Result<Program, SeccompError> {
    let otherwise = rules::answer("defaultAction", &profile.default_action, profile.default_errno_ret)?;
    if otherwise == NOTIFY {
        return Err(SeccompError::NotifyByDefault);
    }
    let rules = rules::parse(profile)?;
    let (archs, ignored_architectures) = architectures(profile, native);
    let foreign = if lets_through(otherwise) { KILL_PROCESS } else { otherwise };

    let mut assembler = Assembler::default();
    let mut sections = Vec::new();
    for token in tokens(&archs) {
        let ranges = ranges(&rules, &archs, token, otherwise, foreign);
        sections.push((token, section(&mut assembler, &ranges)));
    }
    let mut entry = Target::Return(foreign);
    for (token, start) in sections.iter().rev() {
        entry = assembler.branch(Compare::Equal, *token, *start, entry);
    }
    let entry = load(&mut assembler, ARCH, entry);
    Ok(Program {
        instructions: assembler.finish(entry)?,
        unknown_syscalls: rules::unknown_names(profile),
        ignored_architectures,
        notifies: profile.syscalls.iter().any(|rule| rule.action == "SCMP_ACT_NOTIFY"),
    })
}

/// Native first (its test is the first in the program), then the others; and the names that the compiler has no numbers for.
fn architectures(profile: &Seccomp, native: Arch) -> (Vec<Arch>, Vec<String>) {
    let mut archs = vec![native];
    let mut ignored = Vec::new();
    for name in &profile.architectures {
        match Arch::from_name(name) {
            Some(arch) if archs.contains(&arch) => {}
            Some(arch) => archs.push(arch),
            None => ignored.push(name.clone()),
        }
    }
    (archs, ignored)
}

fn tokens(archs: &[Arch]) -> Vec<u32> {
    let mut tokens = Vec::new();
    for arch in archs {
        if !tokens.contains(&arch.token()) {
            tokens.push(arch.token());
        }
    }
    tokens
}

/// Every number from 0 to 2^32 - 1 under one audit token: where a range begins, and what is decided in it.
fn ranges(rules: &[rules::Rule<'_>], archs: &[Arch], token: u32, otherwise: u32, foreign: u32) -> Vec<(u32, Decision)> {
    let mut starts: BTreeMap<u32, Decision> = BTreeMap::new();
    starts.insert(0, Decision::Always(foreign));
    for arch in [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64].into_iter().filter(|arch| arch.token() == token) {
        let numbers = arch.numbers();
        if !archs.contains(&arch) {
            starts.insert(numbers.start, Decision::Always(foreign));
            continue;
        }
        starts.insert(numbers.start, Decision::Always(otherwise));
        let decided = rules::decide(rules, arch, otherwise);
        let newest = decided.keys().next_back().copied();
        for (number, decision) in decided {
            starts.insert(number, decision);
            if number + 1 < numbers.end {
                // What is newer than the profile does not exist for it: programs try the older call then, as with runc.
                let newer = if Some(number) == newest && otherwise == DENIED { UNKNOWN } else { otherwise };
                starts.insert(number + 1, Decision::Always(newer));
            }
        }
    }
    starts.insert(SKIPPED, Decision::Always(otherwise));
    let mut merged: Vec<(u32, Decision)> = Vec::new();
    for (start, decision) in starts {
        if merged.last().is_none_or(|last| last.1 != decision) {
            merged.push((start, decision));
        }
    }
    merged
}

/// The code for one audit token; equal lists of conditions are written once.
fn section(assembler: &mut Assembler, ranges: &[(u32, Decision)]) -> Target {
    let mut known: BTreeMap<&Decision, Target> = BTreeMap::new();
    let mut leaves: Vec<(u32, Target)> = Vec::with_capacity(ranges.len());
    for (start, decision) in ranges {
        let target = *known.entry(decision).or_insert_with(|| leaf(assembler, decision));
        leaves.push((*start, target));
    }
    let code = search(assembler, &leaves);
    load(assembler, NR, code)
}

/// Nothing has to be loaded for an answer that is always the same.
fn load(assembler: &mut Assembler, offset: u32, next: Target) -> Target {
    match next {
        Target::At(_) => assembler.load(offset, next),
        Target::Return(_) => next,
    }
}

fn search(assembler: &mut Assembler, leaves: &[(u32, Target)]) -> Target {
    let (left, right) = leaves.split_at(leaves.len() / 2);
    match (left, right) {
        ([], [(_, only)]) => *only,
        (_, [(start, _), ..]) => {
            let above = search(assembler, right);
            let below = search(assembler, left);
            assembler.branch(Compare::GreaterOrEqual, *start, above, below)
        }
        (_, []) => Target::Return(KILL_PROCESS),
    }
}

fn leaf(assembler: &mut Assembler, decision: &Decision) -> Target {
    match decision {
        Decision::Always(value) => Target::Return(*value),
        Decision::Ask { clauses, otherwise, wide } => clauses
            .iter()
            .rev()
            .fold(Target::Return(*otherwise), |next, clause| write_clause(assembler, clause, next, *wide)),
    }
}

fn write_clause(assembler: &mut Assembler, clause: &Clause, next: Target, wide: bool) -> Target {
    clause
        .conditions
        .iter()
        .rev()
        .fold(Target::Return(clause.answer), |yes, condition| write_condition(assembler, condition, yes, next, wide))
}

/// Compares one argument, high word first.
fn write_condition(assembler: &mut Assembler, condition: &Condition, yes: Target, no: Target, wide: bool) -> Target {
    let mut words = Words { assembler, offset: ARGS + 8 * condition.index, wide };
    match condition.test {
        Test::Eq(value) => words.equal(u64::MAX, value, yes, no),
        Test::Ne(value) => words.equal(u64::MAX, value, no, yes),
        Test::Masked { mask, datum } => words.equal(mask, datum, yes, no),
        Test::Gt(value) => words.ordered(Compare::Greater, value, yes, no),
        Test::Ge(value) => words.ordered(Compare::GreaterOrEqual, value, yes, no),
        Test::Le(value) => words.ordered(Compare::Greater, value, no, yes),
        Test::Lt(value) => words.ordered(Compare::GreaterOrEqual, value, no, yes),
    }
}

/// The two words of an argument, low one at the lower address.
struct Words<'a> {
    assembler: &'a mut Assembler,
    offset: u32,
    wide: bool,
}

impl Words<'_> {
    fn equal(&mut self, mask: u64, value: u64, yes: Target, no: Target) -> Target {
        let low = self.equal_word(0, low(mask), low(value), yes, no);
        if self.wide {
            self.equal_word(4, high(mask), high(value), low, no)
        } else {
            low
        }
    }

    fn equal_word(&mut self, at: u32, mask: u32, value: u32, yes: Target, no: Target) -> Target {
        if mask == 0 {
            return yes;
        }
        let mut code = self.assembler.branch(Compare::Equal, value, yes, no);
        if mask != u32::MAX {
            code = self.assembler.and(mask, code);
        }
        self.assembler.load(self.offset + at, code)
    }

    fn ordered(&mut self, compare: Compare, value: u64, yes: Target, no: Target) -> Target {
        let code = self.assembler.branch(compare, low(value), yes, no);
        let code = self.assembler.load(self.offset, code);
        if !self.wide {
            return code;
        }
        let same = self.assembler.branch(Compare::Equal, high(value), code, no);
        let code = self.assembler.branch(Compare::Greater, high(value), yes, same);
        self.assembler.load(self.offset + 4, code)
    }
}

fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}
