//! config-linux.md, "Control groups": limits that the kernel can take, and that agree with each other.

use crate::validate::grammar::{is_component, is_cpu_list};
use crate::validate::node::Node;
use crate::validate::rule::{error, warning, Findings, Rule};

const PATH: &str = "config-linux.md#cgroups-path";
const MEMORY: &str = "config-linux.md#memory";
const CPU: &str = "config-linux.md#cpu";
const BLOCK_IO: &str = "config-linux.md#block-io";
const HUGEPAGES: &str = "config-linux.md#huge-page-limits";

pub static RULES: &[Rule] = &[
    warning("cgroups-path", PATH, "`cgroupsPath` does not lead out of its place with `..`", |root, found| {
        let inside = |text: &str| text.split('/').all(|part| part != "..");
        found.unless(root.find(&["linux", "cgroupsPath"]), inside, |text| format!("{text:?} has \"..\" in it"));
    }),
    error("memory-limit", MEMORY, "limits of memory are bytes, or -1 for none", |root, found| {
        let Some(memory) = resource(root, "memory") else { return };
        for name in ["limit", "reservation", "swap", "kernel", "kernelTCP"] {
            if memory.integer_at(name).is_some_and(|bytes| bytes < -1) {
                found.at(format!("{}.{name}", memory.path), "a limit is a number of bytes, or -1 for none");
            }
        }
    }),
    error("memory-swap", MEMORY, "`swap` counts memory and swap together, so it is not below `limit`", memory_swap),
    warning("memory-reservation", MEMORY, "`reservation` is not above `limit`", |root, found| {
        let Some(memory) = resource(root, "memory") else { return };
        if matches!((positive(&memory, "reservation"), positive(&memory, "limit")), (Some(soft), Some(hard)) if soft > hard)
        {
            found.at(format!("{}.reservation", memory.path), "the soft limit is above the hard one: it has no effect");
        }
    }),
    warning("memory-kernel", MEMORY, "limits of kernel memory are not recommended", |root, found| {
        let Some(memory) = resource(root, "memory") else { return };
        for name in ["kernel", "kernelTCP"] {
            if positive(&memory, name).is_some() {
                found.at(format!("{}.{name}", memory.path), "newer kernels ignore it, and cgroup v2 does not have it");
            }
        }
    }),
    error("memory-swappiness", MEMORY, "`swappiness` is between 0 and 100", |root, found| {
        let Some(memory) = resource(root, "memory") else { return };
        if memory.integer_at("swappiness").is_some_and(|value| value > 100) {
            found.at(format!("{}.swappiness", memory.path), "the value is not between 0 and 100");
        }
    }),
    error("cpu-period", CPU, "`period` is between 1000 and 1000000 microseconds", |root, found| {
        let Some(cpu) = resource(root, "cpu") else { return };
        if positive(&cpu, "period").is_some_and(|period| !(1_000..=1_000_000).contains(&period)) {
            found.at(format!("{}.period", cpu.path), "the kernel takes 1000 to 1000000 microseconds");
        }
    }),
    error("cpu-quota", CPU, "`quota` is at least 1000 microseconds, or not above 0 for none", |root, found| {
        let Some(cpu) = resource(root, "cpu") else { return };
        if positive(&cpu, "quota").is_some_and(|quota| quota < 1_000) {
            found.at(format!("{}.quota", cpu.path), "the kernel takes at least 1000 microseconds");
        }
    }),
    error("cpu-burst", CPU, "`burst` is not larger than a positive `quota`", |root, found| {
        let Some(cpu) = resource(root, "cpu") else { return };
        if matches!((positive(&cpu, "burst"), positive(&cpu, "quota")), (Some(burst), Some(quota)) if burst > quota) {
            found.at(format!("{}.burst", cpu.path), "the burst is larger than the quota");
        }
    }),
    error("cpu-list", CPU, "`cpus` and `mems` look like 0-3,7", |root, found| {
        for name in ["cpus", "mems"] {
            let node = resource(root, "cpu").and_then(|cpu| cpu.get(name));
            found.unless(
                node,
                |text| text.is_empty() || is_cpu_list(text),
                |text| format!("{text:?} is no list of numbers"),
            );
        }
    }),
    error("cpu-idle", CPU, "`idle` is 0 or 1", |root, found| {
        let Some(cpu) = resource(root, "cpu") else { return };
        if cpu.integer_at("idle").is_some_and(|idle| !(0..=1).contains(&idle)) {
            found.at(format!("{}.idle", cpu.path), "the value is neither 0 nor 1");
        }
    }),
    error("pids-limit", "config-linux.md#pids", "the limit of pids is a count, or -1 for none", |root, found| {
        if resource(root, "pids").and_then(|pids| pids.integer_at("limit")).is_some_and(|limit| limit < -1) {
            found.at("$.linux.resources.pids.limit", "a limit is a count, or -1 for none");
        }
    }),
    warning("block-io-weight", BLOCK_IO, "weights are between 10 and 1000, or 0 for none", |root, found| {
        let Some(io) = resource(root, "blockIO") else { return };
        for node in std::iter::once(io.clone()).chain(io.list(&["weightDevice"])) {
            for name in ["weight", "leafWeight"] {
                if positive(&node, name).is_some_and(|weight| !(10..=1000).contains(&weight)) {
                    found.at(format!("{}.{name}", node.path), "a weight is between 10 and 1000");
                }
            }
        }
    }),
    error("block-io-device", BLOCK_IO, "a device of `weightDevice` has at least one weight", |root, found| {
        for device in root.list(&["linux", "resources", "blockIO", "weightDevice"]) {
            if device.get("weight").is_none() && device.get("leafWeight").is_none() {
                found.at(device.path, "at least one of \"weight\" and \"leafWeight\" is required");
            }
        }
    }),
    error("hugepage-size", HUGEPAGES, "the size of a huge page looks like 2MB", |root, found| {
        let limits = root.list(&["linux", "resources", "hugepageLimits"]);
        let sizes = limits.iter().flat_map(|one| [one.get("pageSize"), one.get("pagesize")]).flatten();
        found.unless(sizes, is_page_size, |text| format!("{text:?} is no page size such as 64KB, 2MB or 1GB"));
    }),
    error("rdma-entry", "config-linux.md#rdma", "an rdma device has at least one limit", |root, found| {
        for (_, device) in root.members(&["linux", "resources", "rdma"]) {
            if device.value.is_object() && device.get("hcaHandles").is_none() && device.get("hcaObjects").is_none() {
                found.at(device.path, "at least one of \"hcaHandles\" and \"hcaObjects\" is required");
            }
        }
    }),
    error(
        "unified-key",
        "config-linux.md#unified",
        "keys of `unified` are names of files in a cgroup",
        |root, found| {
            for (name, node) in root.members(&["linux", "resources", "unified"]) {
                if !is_component(name) {
                    found.at(node.path, format!("{name:?} is no file of a cgroup"));
                }
            }
        },
    ),
];

fn resource<'v>(root: &Node<'v>, controller: &str) -> Option<Node<'v>> {
    root.find(&["linux", "resources", controller])
}

fn positive(node: &Node, name: &str) -> Option<i128> {
    node.integer_at(name).filter(|value| *value > 0)
}

fn memory_swap(root: &Node, found: &mut Findings) {
    let Some(memory) = resource(root, "memory") else { return };
    match (positive(&memory, "swap"), positive(&memory, "limit")) {
        (Some(swap), Some(limit)) if swap < limit => {
            found.at(format!("{}.swap", memory.path), "memory and swap together are less than memory alone");
        }
        (Some(_), None) => found.at(format!("{}.swap", memory.path), "a limit of swap needs a limit of memory"),
        _ => {}
    }
}

fn is_page_size(text: &str) -> bool {
    ["KB", "MB", "GB"]
        .iter()
        .filter_map(|unit| text.strip_suffix(unit))
        .any(|number| !number.is_empty() && !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit()))
}
