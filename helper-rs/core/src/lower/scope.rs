//! A container's scope of systemd: its name from `cgroupsPath`, its properties from limits and annotations.
//! systemd sets what it knows again whenever it is reloaded; so it is told what was asked for, not only the kernel.

use super::resources::{weight_of_block_io, weight_of_shares};
use crate::oci::resources::Resources;
use std::collections::BTreeMap;

/// A value of a D-Bus variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Texts(Vec<String>),
    Truth(bool),
    Signed(i32),
    Count(u32),
    Counts(Vec<u32>),
    Long(i64),
    Number(u64),
    Bytes(Vec<u8>),
}

/// Where systemd puts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Empty is the manager's own default.
    pub slice: String,
    pub unit: String,
}

/// `slice:prefix:name`, as engines write it; nothing at all is a scope named by the id.
pub fn name(cgroups_path: &str, id: &str) -> Result<Scope, String> {
    let parts: Vec<&str> = match cgroups_path {
        "" => vec!["", "rootless", id],
        path => path.split(':').collect(),
    };
    let [slice, prefix, name] = parts.as_slice() else {
        return Err("with --systemd-cgroup it is SLICE:PREFIX:NAME".into());
    };
    if !slice.is_empty() && !slice.ends_with(".slice") {
        return Err(format!("{slice:?} is no slice"));
    }
    if name.is_empty() || name.ends_with(".slice") {
        return Err(format!("{name:?} cannot be the name of a scope"));
    }
    let known = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let unit = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
    if unit.len() > 255 || !unit.chars().all(known) || !slice.chars().all(known) {
        return Err(format!("{unit:?} cannot be the name of a unit"));
    }
    Ok(Scope { slice: (*slice).to_string(), unit })
}

const MICROSECONDS: i64 = 1_000_000;
/// What systemd keeps quotas to.
const STEP: i64 = 10_000;

/// The limits that systemd has properties for.
pub fn limits(resources: &Resources) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    let mut set = |name: &str, value: u64| out.push((name.to_string(), Value::Number(value)));
    let bytes = |value: i64| if value < 0 { u64::MAX } else { value as u64 };
    let given = |value: Option<i64>| value.filter(|value| *value != 0);
    if let Some(memory) = &resources.memory {
        given(memory.limit).into_iter().for_each(|value| set("MemoryMax", bytes(value)));
        given(memory.reservation).into_iter().for_each(|value| set("MemoryLow", bytes(value)));
        match (given(memory.swap), given(memory.limit)) {
            (Some(swap), _) if swap < 0 => set("MemorySwapMax", u64::MAX),
            (Some(swap), Some(limit)) if limit > 0 => set("MemorySwapMax", bytes((swap - limit).max(0))),
            (None, Some(limit)) if limit < 0 => set("MemorySwapMax", u64::MAX),
            _ => {}
        }
    }
    if let Some(cpu) = &resources.cpu {
        match (cpu.idle, cpu.shares) {
            (Some(1), _) => set("CPUWeight", 0),
            (_, Some(shares)) if shares > 0 => set("CPUWeight", weight_of_shares(shares)),
            _ => {}
        }
        let period = cpu.period.filter(|period| *period > 0);
        period.into_iter().for_each(|period| set("CPUQuotaPeriodUSec", period));
        match cpu.quota.filter(|quota| *quota != 0) {
            Some(quota) if quota < 0 => set("CPUQuotaPerSecUSec", u64::MAX),
            Some(quota) => {
                let period = i64::try_from(period.unwrap_or(100_000)).unwrap_or(i64::MAX);
                let each_second = quota.saturating_mul(MICROSECONDS) / period;
                set("CPUQuotaPerSecUSec", (each_second.saturating_add(STEP - 1) / STEP * STEP) as u64);
            }
            None => {}
        }
    }
    if let Some(limit) = resources.pids.as_ref().and_then(|pids| pids.limit) {
        set("TasksMax", bytes(if limit == 0 { 1 } else { limit }));
    }
    if let Some(weight) = resources.block_io.as_ref().and_then(|io| io.weight).filter(|weight| *weight > 0) {
        set("IOWeight", weight_of_block_io(weight));
    }
    for (file, property) in [("memory.high", "MemoryHigh"), ("memory.low", "MemoryLow"), ("memory.min", "MemoryMin")] {
        match resources.unified.get(file).map(|text| text.trim()) {
            Some("max") => set(property, u64::MAX),
            Some(text) => text.parse().into_iter().for_each(|value| set(property, value)),
            None => {}
        }
    }
    let lists = resources.cpu.iter().flat_map(|cpu| [("AllowedCPUs", &cpu.cpus), ("AllowedMemoryNodes", &cpu.mems)]);
    for (property, list) in lists {
        if let Some(mask) = list.as_deref().filter(|list| !list.is_empty()).and_then(mask) {
            out.push((property.to_string(), Value::Bytes(mask)));
        }
    }
    out
}

/// `0-3,7` as bits, the lowest byte first.
fn mask(list: &str) -> Option<Vec<u8>> {
    let mut mask = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last >= 8192 {
            return None;
        }
        for number in first..=last {
            if mask.len() <= number / 8 {
                mask.resize(number / 8 + 1, 0);
            }
            mask[number / 8] |= 1 << (number % 8);
        }
    }
    Some(mask)
}

const PREFIX: &str = "org.systemd.property.";

/// `org.systemd.property.NAME` annotations, whose values are written as in GVariant's text form. The `Err` is (annotation, reason).
pub fn annotated(annotations: &BTreeMap<String, String>) -> Result<Vec<(String, Value)>, (String, String)> {
    let ours = annotations.iter().filter_map(|(name, value)| Some((name, name.strip_prefix(PREFIX)?, value)));
    ours.map(|(name, property, text)| {
        let value = parse(text).ok_or_else(|| (name.clone(), format!("{text:?} is no value that is understood")))?;
        // What engines know as a time in seconds is one in microseconds on the bus.
        match (property.strip_suffix("Sec").filter(|stem| !stem.ends_with("U")), &value) {
            (Some(stem), Value::Signed(seconds)) => {
                let time = u64::try_from(*seconds).map_err(|_| (name.clone(), "a time is not negative".to_string()))?;
                Ok((format!("{stem}USec"), Value::Number(time * MICROSECONDS as u64)))
            }
            _ => Ok((property.to_string(), value)),
        }
    })
    .collect()
}

fn parse(text: &str) -> Option<Value> {
    let text = text.trim();
    let quoted = |text: &str| -> Option<String> {
        let mark = text.chars().next().filter(|mark| *mark == '\'' || *mark == '"')?;
        let inner = text.strip_prefix(mark)?.strip_suffix(mark)?;
        (text.len() >= 2 && !inner.contains(mark) && !inner.contains('\\')).then(|| inner.to_string())
    };
    match text.split_once(' ').unwrap_or((text, "")) {
        ("true", "") => Some(Value::Truth(true)),
        ("false", "") => Some(Value::Truth(false)),
        ("uint64", number) => number.parse().ok().map(Value::Number),
        ("int64", number) => number.parse().ok().map(Value::Long),
        ("uint32", number) => number.parse().ok().map(Value::Count),
        ("int32", number) => number.parse().ok().map(Value::Signed),
        _ if text.starts_with('[') => {
            let inner = text.strip_prefix('[')?.strip_suffix(']')?;
            inner.split(',').map(|one| quoted(one.trim())).collect::<Option<_>>().map(Value::Texts)
        }
        _ => quoted(text).map(Value::Text).or_else(|| text.parse().ok().map(Value::Signed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_named_by_its_path() {
        let scope = |path: &str| name(path, "id").map(|scope| (scope.slice, scope.unit));
        assert_eq!(scope("user.slice:libpod:abc").unwrap(), ("user.slice".into(), "libpod-abc.scope".into()));
        assert_eq!(scope("::abc").unwrap(), (String::new(), "abc.scope".into()));
        assert_eq!(scope("").unwrap().1, "rootless-id.scope");
        for wrong in ["/a/b", "a.slice:b", "a:b:c", "a.slice:b:", "::x.slice", "::a/b", "a.slice:b:c:d"] {
            assert!(scope(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_become_properties() {
        let json = r#"{"memory":{"limit":1000,"swap":1500},"cpu":{"quota":15000,"period":100000,"shares":1024,"cpus":"0,9"},
            "pids":{"limit":-1},"unified":{"memory.high":"900"}}"#;
        let got = limits(&serde_json::from_str(json).unwrap());
        let number = |name: &str| got.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        assert_eq!(number("MemoryMax"), Some(Value::Number(1000)));
        assert_eq!(number("MemorySwapMax"), Some(Value::Number(500)));
        assert_eq!(number("CPUQuotaPerSecUSec"), Some(Value::Number(150_000)));
        assert_eq!(number("CPUWeight"), Some(Value::Number(100)));
        assert_eq!(number("TasksMax"), Some(Value::Number(u64::MAX)));
        assert_eq!(number("MemoryHigh"), Some(Value::Number(900)));
        assert_eq!(number("AllowedCPUs"), Some(Value::Bytes(vec![1, 2])));
    }

    #[test]
    fn a_quota_is_rounded_up_to_what_systemd_keeps() {
        let got = limits(&serde_json::from_str(r#"{"cpu":{"quota":4999,"period":100000}}"#).unwrap());
        assert_eq!(
            got,
            [
                ("CPUQuotaPeriodUSec".into(), Value::Number(100_000)),
                ("CPUQuotaPerSecUSec".into(), Value::Number(50_000))
            ]
        );
    }

    #[test]
    fn annotations_are_values_of_the_bus() {
        let one =
            |name: &str, value: &str| annotated(&BTreeMap::from([(format!("{PREFIX}{name}"), value.to_string())]));
        assert_eq!(one("TimeoutStopUSec", "uint64 7").unwrap(), [("TimeoutStopUSec".into(), Value::Number(7))]);
        assert_eq!(one("TimeoutStopSec", "3").unwrap(), [("TimeoutStopUSec".into(), Value::Number(3_000_000))]);
        assert_eq!(one("CollectMode", "'inactive'").unwrap(), [("CollectMode".into(), Value::Text("inactive".into()))]);
        assert_eq!(
            one("Before", "['a.service', 'b.service']").unwrap()[0].1,
            Value::Texts(vec!["a.service".into(), "b.service".into()])
        );
        assert_eq!(one("X", "true").unwrap()[0].1, Value::Truth(true));
        assert!(one("X", "(1, 2)").is_err());
    }
}
