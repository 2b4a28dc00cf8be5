//! `linux.memoryPolicy` (config-linux.md "Memory policy"): from which NUMA nodes the program's memory comes.

use crate::failure::{During, Failure, Step};
use crate::sys::memory;
use rootless_core::lower::ranges;
use rootless_core::oci::runtime::MemoryPolicy;

/// The name's place is its number (linux/mempolicy.h).
pub const MODES: [&str; 7] = [
    "MPOL_DEFAULT",
    "MPOL_PREFERRED",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];
const FLAGS: [(&str, u32); 3] =
    [("MPOL_F_NUMA_BALANCING", 1 << 13), ("MPOL_F_RELATIVE_NODES", 1 << 14), ("MPOL_F_STATIC_NODES", 1 << 15)];
/// As many as a kernel can be built for.
const MOST_NODES: usize = 1024;

pub fn flag_names() -> [&'static str; 3] {
    FLAGS.map(|(name, _)| name)
}

/// For this process, and what it executes.
pub fn set(policy: &MemoryPolicy) -> Step<()> {
    let (mode, mask) = numbers(policy)?;
    memory::set_policy(mode, &mask).during("init", format!("set_mempolicy: {}", policy.mode))
}

/// The mode with its flags, and one bit a node.
pub fn numbers(policy: &MemoryPolicy) -> Step<(u32, Vec<u64>)> {
    let wrong = |what: &str, value: &str| Failure::because("init", format!("invalid memory policy {what}")).on(value);
    let mode = MODES.iter().position(|known| *known == policy.mode).ok_or_else(|| wrong("mode", &policy.mode))?;
    let mut flags = 0;
    for name in &policy.flags {
        let (_, bit) = FLAGS.iter().find(|(known, _)| known == name).ok_or_else(|| wrong("flag", name))?;
        flags |= bit;
    }
    let nodes = ranges::parse(&policy.nodes, MOST_NODES).ok_or_else(|| wrong("nodes", &policy.nodes))?;
    if matches!(policy.mode.as_str(), "MPOL_DEFAULT" | "MPOL_LOCAL") && !nodes.is_empty() {
        let message = format!("mode requires 0 nodes but got {}", nodes.len());
        return Err(Failure::because("init", message).on(format!("set_mempolicy: {}", policy.mode)));
    }
    let mut mask = vec![0; MOST_NODES / 64];
    for node in nodes {
        mask[node / 64] |= 1_u64 << (node % 64);
    }
    Ok((mode as u32 | flags, mask))
}
