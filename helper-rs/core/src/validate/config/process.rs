//! config.md, "Process": arguments, limits, capabilities, scheduling.

use crate::caps;
use crate::validate::grammar::{is_absolute, is_assignment, is_cpu_list};
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};
use std::collections::BTreeSet;

const POSIX: &str = "config.md#posix-process";
const LINUX: &str = "config.md#linux-process";

const RLIMITS: &[&str] = &[
    "AS",
    "CORE",
    "CPU",
    "DATA",
    "FSIZE",
    "LOCKS",
    "MEMLOCK",
    "MSGQUEUE",
    "NICE",
    "NOFILE",
    "NPROC",
    "RSS",
    "RTPRIO",
    "RTTIME",
    "SIGPENDING",
    "STACK",
];
const POLICIES: &[&str] =
    &["SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"];
const FLAGS: &[&str] = &[
    "SCHED_FLAG_RESET_ON_FORK",
    "SCHED_FLAG_RECLAIM",
    "SCHED_FLAG_DL_OVERRUN",
    "SCHED_FLAG_KEEP_POLICY",
    "SCHED_FLAG_KEEP_PARAMS",
    "SCHED_FLAG_UTIL_CLAMP_MIN",
    "SCHED_FLAG_UTIL_CLAMP_MAX",
];
const IO_CLASSES: &[&str] = &["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"];
const SETS: &[&str] = &["bounding", "effective", "inheritable", "permitted", "ambient"];

pub static RULES: &[Rule] = &[
    error("process-args", "config.md#process", "`process.args` has at least one entry", |root, found| {
        if root.get("process").is_some_and(|process| process.list(&["args"]).is_empty()) {
            found.at("$.process.args", "at least one entry is required: the program");
        }
    }),
    error("process-cwd", "config.md#process", "`process.cwd` is an absolute path", |root, found| {
        found.unless(root.find(&["process", "cwd"]), is_absolute, |text| format!("{text:?} is not absolute"));
    }),
    warning("process-env", "config.md#process", "entries of `process.env` are NAME=value", |root, found| {
        found.unless(root.list(&["process", "env"]), is_assignment, |text| format!("{text:?} is not NAME=value"));
    }),
    error(
        "user-umask",
        "config.md#posix-platform-user",
        "`umask` is at most 0777, written in decimal",
        |root, found| {
            if let Some(user) = root.find(&["process", "user"]) {
                if user.integer_at("umask").is_some_and(|mask| mask > 0o777) {
                    found.at("$.process.user.umask", "a umask is at most 511 (octal 777); the number is decimal");
                }
            }
        },
    ),
    error("rlimit-type", POSIX, "the type of an rlimit is one of getrlimit(2)", |root, found| {
        let known = |text: &str| text.strip_prefix("RLIMIT_").is_some_and(|name| RLIMITS.contains(&name));
        let types = root.list(&["process", "rlimits"]).into_iter().filter_map(|one| one.get("type"));
        found.unless(types, known, |text| format!("{text:?} is no resource of getrlimit(2)"));
    }),
    error("rlimit-duplicate", POSIX, "no rlimit type stands twice", rlimit_duplicate),
    error("rlimit-order", POSIX, "the soft limit is not above the hard limit (setrlimit(2))", |root, found| {
        for one in root.list(&["process", "rlimits"]) {
            if matches!((one.integer_at("soft"), one.integer_at("hard")), (Some(soft), Some(hard)) if soft > hard) {
                found.at(one.path, "the soft limit is above the hard limit");
            }
        }
    }),
    warning("capability-name", LINUX, "capabilities are those of capabilities(7)", |root, found| {
        for set in SETS {
            let names = root.list(&["process", "capabilities", set]);
            found.unless(names, |text| caps::number(text).is_some(), |text| format!("{text:?} is no capability"));
        }
    }),
    warning("capability-effective", LINUX, "effective capabilities are permitted too (capset(2))", |root, found| {
        subset(root, found, "effective", "permitted");
    }),
    warning("capability-ambient", LINUX, "ambient capabilities are permitted too", |root, found| {
        subset(root, found, "ambient", "permitted");
    }),
    error("oom-score-adj", LINUX, "`oomScoreAdj` is between -1000 and 1000 (proc(5))", |root, found| {
        let process = root.get("process").and_then(|process| process.integer_at("oomScoreAdj"));
        if process.is_some_and(|score| !(-1000..=1000).contains(&score)) {
            found.at("$.process.oomScoreAdj", "the score is not between -1000 and 1000");
        }
    }),
    error("scheduler-policy", LINUX, "the scheduling policy is one that the specification lists", |root, found| {
        one_of(found, root.find(&["process", "scheduler", "policy"]), POLICIES, "scheduling policy");
    }),
    error("scheduler-flag", LINUX, "scheduling flags are those that the specification lists", |root, found| {
        one_of(found, root.list(&["process", "scheduler", "flags"]), FLAGS, "scheduling flag");
    }),
    error(
        "scheduler-values",
        LINUX,
        "nice, priority and the deadline's times suit the policy (sched_setattr(2))",
        scheduler_values,
    ),
    error("io-priority-class", LINUX, "the I/O class is one that the specification lists", |root, found| {
        one_of(found, root.find(&["process", "ioPriority", "class"]), IO_CLASSES, "I/O class");
    }),
    error("io-priority-level", LINUX, "the I/O priority is between 0 and 7", |root, found| {
        let level = root.find(&["process", "ioPriority"]).and_then(|one| one.integer_at("priority"));
        if level.is_some_and(|level| !(0..=7).contains(&level)) {
            found.at("$.process.ioPriority.priority", "the priority is not between 0 and 7");
        }
    }),
    error("cpu-affinity", LINUX, "lists of CPUs look like 0-3,7", |root, found| {
        for name in ["initial", "final"] {
            let node = root.find(&["process", "execCPUAffinity", name]);
            found.unless(
                node,
                |text| text.is_empty() || is_cpu_list(text),
                |text| format!("{text:?} is no list of CPUs"),
            );
        }
    }),
];

/// Reports strings that are not in a list of the specification.
pub fn one_of<'v>(found: &mut Findings, nodes: impl IntoIterator<Item = Node<'v>>, known: &[&str], what: &str) {
    found.unless(nodes, |text| known.contains(&text), |text| format!("{text:?} is no {what}"));
}

fn rlimit_duplicate(root: &Node, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for one in root.list(&["process", "rlimits"]) {
        let Some(kind) = one.text_at("type") else { continue };
        if !seen.insert(kind) {
            found.at(one.path, format!("{kind} stands twice"));
        }
    }
}

fn subset(root: &Node, found: &mut Findings, inner: &str, outer: &str) {
    let Some(sets) = root.find(&["process", "capabilities"]) else { return };
    for name in sets.list(&[inner]) {
        let Some(text) = name.text() else { continue };
        if !sets.lists(outer, text) {
            found.at(name.path, format!("{text} is {inner} but not {outer}: the kernel will not give it"));
        }
    }
}

fn scheduler_values(root: &Node, found: &mut Findings) {
    let Some(scheduler) = root.find(&["process", "scheduler"]) else { return };
    let number = |name: &str| scheduler.integer_at(name).unwrap_or(0);
    let policy = scheduler.text_at("policy").unwrap_or_default();
    if !(-20..=19).contains(&number("nice")) {
        found.at("$.process.scheduler.nice", "a nice value is between -20 and 19");
    }
    let priorities = if matches!(policy, "SCHED_FIFO" | "SCHED_RR") { 1..=99 } else { 0..=0 };
    if !priorities.contains(&number("priority")) {
        let (from, to) = (priorities.start(), priorities.end());
        found.at("$.process.scheduler.priority", format!("{policy} takes a priority from {from} to {to}"));
    }
    let (runtime, deadline) = (number("runtime"), number("deadline"));
    let period = if number("period") == 0 { deadline } else { number("period") };
    if policy == "SCHED_DEADLINE" && !(0 < runtime && runtime <= deadline && deadline <= period) {
        found.at("$.process.scheduler", "SCHED_DEADLINE needs 0 < runtime <= deadline <= period");
    }
}
