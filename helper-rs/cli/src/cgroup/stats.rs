//! What the kernel counts for a cgroup, in the form of `runc events --stats` that engines parse (runc, types/events.go).

use serde_json::{json, Map, Value};
use std::fs;
use std::path::Path;

/// No limit, where a number is wanted.
const NONE: u64 = u64::MAX;

pub fn read(folder: &Path) -> Value {
    json!({
        "cpu": cpu(folder),
        "cpuset": cpuset(folder),
        "memory": memory(folder),
        "pids": { "current": number(folder, "pids.current").unwrap_or(0), "limit": limit(folder, "pids.max", 0) },
        "blkio": io(folder),
        "hugetlb": hugetlb(folder),
        "intel_rdt": {},
        "network_interfaces": null,
    })
}

/// The number after `key` in a file of such lines.
pub fn keyed(folder: &Path, file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// A number or `max`.
fn limit(folder: &Path, file: &str, none: u64) -> u64 {
    number(folder, file).unwrap_or(none)
}

fn cpu(folder: &Path) -> Value {
    let count = |key: &str| keyed(folder, "cpu.stat", key).unwrap_or(0);
    let nanoseconds = |key: &str| count(key) * 1000;
    let mut cpu = json!({
        "usage": { "total": nanoseconds("usage_usec"), "kernel": nanoseconds("system_usec"), "user": nanoseconds("user_usec") },
        "throttling": {
            "periods": count("nr_periods"),
            "throttledPeriods": count("nr_throttled"),
            "throttledTime": nanoseconds("throttled_usec"),
        },
    });
    add_pressure(&mut cpu, folder, "cpu.pressure");
    cpu
}

fn cpuset(folder: &Path) -> Value {
    let mut out = Map::new();
    for (name, file) in [("cpus", "cpuset.cpus.effective"), ("mems", "cpuset.mems.effective")] {
        let list = numbers(&fs::read_to_string(folder.join(file)).unwrap_or_default());
        if !list.is_empty() {
            out.insert(name.into(), json!(list));
        }
    }
    let fields = ["cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page"];
    let more = ["memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level"];
    fields.iter().chain(&more).for_each(|name| drop(out.insert((*name).into(), json!(0))));
    Value::Object(out)
}

/// `0-2,5`.
fn numbers(list: &str) -> Vec<u16> {
    let range = |text: &str| -> Option<std::ops::RangeInclusive<u16>> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

fn memory(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let raw: Map<String, Value> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(key, n)| Some((key.into(), json!(n.parse::<u64>().ok()?))))
        .collect();
    let of_raw = |key: &str| raw.get(key).and_then(Value::as_u64).unwrap_or(0);
    let event = |key: &str| keyed(folder, "memory.events", key).unwrap_or(0);
    let (used, swap) =
        (number(folder, "memory.current").unwrap_or(0), number(folder, "memory.swap.current").unwrap_or(0));
    let (most, most_swap) = (limit(folder, "memory.max", NONE), limit(folder, "memory.swap.max", NONE));
    // v1 counted swap together with memory, and readers expect that.
    let both = |a: u64, b: u64| if a == NONE || b == NONE { NONE } else { a + b };
    let mut memory = json!({
        "cache": of_raw("file"),
        "usage": { "limit": most, "usage": used, "max": number(folder, "memory.peak").unwrap_or(0), "failcnt": event("max") },
        "swap": { "limit": both(most, most_swap), "usage": used + swap, "max": 0, "failcnt": keyed(folder, "memory.swap.events", "fail").unwrap_or(0) },
        "kernel": { "limit": 0, "usage": of_raw("kernel"), "failcnt": 0 },
        "kernelTCP": { "limit": 0, "usage": of_raw("sock"), "failcnt": 0 },
        "event_count": { "low": event("low"), "high": event("high"), "max": event("max"), "oom": event("oom"), "oom_kill": event("oom_kill") },
    });
    memory["raw"] = Value::Object(raw);
    add_pressure(&mut memory, folder, "memory.pressure");
    memory
}

/// `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`.
fn io(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("io.stat")).unwrap_or_default();
    let (mut bytes, mut operations) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split(' ');
        let Some((major, minor)) = words.next().and_then(|device| device.split_once(':')) else { continue };
        let (Ok(major), Ok(minor)) = (major.parse::<u64>(), minor.parse::<u64>()) else { continue };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, operation) = match key {
                "rbytes" => (&mut bytes, "Read"),
                "wbytes" => (&mut bytes, "Write"),
                "rios" => (&mut operations, "Read"),
                "wios" => (&mut operations, "Write"),
                _ => continue,
            };
            list.push(
                json!({ "major": major, "minor": minor, "op": operation, "value": value.parse::<u64>().unwrap_or(0) }),
            );
        }
    }
    let mut out = json!({});
    if !bytes.is_empty() {
        out["ioServiceBytesRecursive"] = json!(bytes);
        out["ioServicedRecursive"] = json!(operations);
    }
    add_pressure(&mut out, folder, "io.pressure");
    out
}

fn hugetlb(folder: &Path) -> Value {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let sizes = names.filter_map(|name| Some(name.strip_prefix("hugetlb.")?.strip_suffix(".current")?.to_string()));
    let of = |size: &str| {
        let used = number(folder, &format!("hugetlb.{size}.current")).unwrap_or(0);
        let failed = keyed(folder, &format!("hugetlb.{size}.events"), "max").unwrap_or(0);
        json!({ "usage": used, "failcnt": failed })
    };
    sizes.filter(|size| !size.ends_with(".rsvd")).map(|size| (size.clone(), of(&size))).collect::<Map<_, _>>().into()
}

/// Pressure stall information (psi.rst), where the kernel has it.
fn add_pressure(to: &mut Value, folder: &Path, file: &str) {
    let Some(text) = fs::read_to_string(folder.join(file)).ok().filter(|text| text.contains("some")) else { return };
    let stall = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind)).unwrap_or_default();
        let value =
            |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.parse::<f64>().ok()).unwrap_or(0.0);
        json!({ "avg10": value("avg10="), "avg60": value("avg60="), "avg300": value("avg300="), "total": value("total=") as u64 })
    };
    to["psi"] = json!({ "some": stall("some "), "full": stall("full ") });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_the_names_that_engines_parse() {
        let folder = std::env::temp_dir().join(format!("stats-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in [
            ("cpu.stat", "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 7\nnr_throttled 1\nthrottled_usec 9\n"),
            ("memory.current", "100\n"),
            ("memory.max", "max\n"),
            ("memory.events", "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n"),
            ("memory.stat", "anon 60\nfile 40\n"),
            (
                "memory.pressure",
                "some avg10=1.50 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
            ),
            ("pids.current", "2\n"),
            ("pids.max", "50\n"),
            ("io.stat", "8:0 rbytes=1024 wbytes=0 rios=2 wios=0 dbytes=0 dios=0\n"),
            ("cpuset.cpus.effective", "0-1,4\n"),
            ("hugetlb.2MB.current", "0\n"),
        ] {
            fs::write(folder.join(file), text).unwrap();
        }
        let stats = read(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(stats["cpu"]["usage"], json!({ "total": 5000, "kernel": 2000, "user": 3000 }));
        assert_eq!(stats["cpu"]["throttling"]["throttledPeriods"], 1);
        assert_eq!(stats["memory"]["usage"], json!({ "limit": u64::MAX, "usage": 100, "max": 0, "failcnt": 4 }));
        assert_eq!(stats["memory"]["cache"], 40);
        assert_eq!(stats["memory"]["event_count"]["oom_kill"], 1);
        assert_eq!(stats["memory"]["psi"]["some"]["avg10"], 1.5);
        assert_eq!(stats["pids"], json!({ "current": 2, "limit": 50 }));
        assert_eq!(
            stats["blkio"]["ioServiceBytesRecursive"][0],
            json!({ "major": 8, "minor": 0, "op": "Read", "value": 1024 })
        );
        assert_eq!(stats["cpuset"]["cpus"], json!([0, 1, 4]));
        assert_eq!(stats["hugetlb"]["2MB"]["failcnt"], 0);
    }
}
