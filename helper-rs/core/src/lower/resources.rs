//! `linux.resources` → what to write into which file of a cgroup v2 folder (config-linux.md "Control groups", cgroup-v2.rst).

use crate::oci::resources::{BlockIo, Cpu, Memory, Resources, ThrottleDevice};

/// One file, and what is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub file: String,
    pub value: Value,
    /// A kernel without this file is no failure.
    pub is_optional: bool,
    /// Where the first file is missing.
    pub otherwise: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Line by line.
    Text(String),
    /// Of `cpu.max`: the quota stays.
    Period(u64),
    /// Memory and swap together, of which the kernel wants the second alone: the first is what `memory.max` says.
    SwapBeside(i64),
}

impl Write {
    /// What has to be handed down for the file to be there; `cgroup.*` is everywhere.
    pub fn controller(&self) -> Option<&str> {
        self.file.split('.').next().filter(|name| !self.is_optional && *name != "cgroup")
    }
}

/// Something that was asked for and that cgroup v2 has not: where in `resources`, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub field: &'static str,
    pub reason: &'static str,
}

/// In the order in which the kernel takes them.
pub fn lower(resources: &Resources) -> Result<Vec<Write>, Refused> {
    refuse(resources)?;
    let mut out = Writes(Vec::new());
    resources.memory.iter().for_each(|memory| out.memory(memory));
    resources.cpu.iter().for_each(|cpu| out.cpu(cpu));
    if let Some(limit) = resources.pids.as_ref().and_then(|pids| pids.limit) {
        // The first process counts too; systemd knows no 0 either.
        out.set("pids.max", or_max(if limit == 0 { 1 } else { limit }));
    }
    resources.block_io.iter().for_each(|io| out.io(io));
    for huge in &resources.hugepage_limits {
        out.set(format!("hugetlb.{}.max", huge.page_size), huge.limit.to_string());
        out.set(format!("hugetlb.{}.rsvd.max", huge.page_size), huge.limit.to_string());
        out.0.iter_mut().last().into_iter().for_each(|write| write.is_optional = true);
    }
    for (device, limits) in &resources.rdma {
        let part = |name: &str, count: Option<u32>| count.map(|count| format!(" {name}={count}")).unwrap_or_default();
        let (handles, objects) = (part("hca_handle", limits.hca_handles), part("hca_object", limits.hca_objects));
        out.set("rdma.max", format!("{device}{handles}{objects}"));
    }
    for (file, value) in &resources.unified {
        out.set(file, value.clone());
    }
    Ok(out.0)
}

/// As of 1.3 a `pids.limit` of 0 is a limit; before, engines wrote it for none.
pub fn as_of(version: &str, resources: &mut Resources) {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let is_limit = (numbers.next(), numbers.next()) >= (Some(1), Some(3));
    if let Some(pids) = resources.pids.as_mut().filter(|pids| pids.limit == Some(0) && !is_limit) {
        pids.limit = None;
    }
}

fn refuse(resources: &Resources) -> Result<(), Refused> {
    const GONE: &str = "cgroup v2 has nothing like it";
    let refuse = |is_asked: bool, field: &'static str, reason: &'static str| match is_asked {
        true => Err(Refused { field, reason }),
        false => Ok(()),
    };
    if let Some(memory) = &resources.memory {
        refuse(memory.swappiness.is_some(), "memory.swappiness", GONE)?;
        let keeps = memory.disable_oom_killer == Some(true);
        refuse(keeps, "memory.disableOOMKiller", "in cgroup v2 the OOM killer cannot be switched off")?;
    }
    if let Some(cpu) = &resources.cpu {
        let real_time =
            cpu.realtime_runtime.is_some_and(|time| time != 0) || cpu.realtime_period.is_some_and(|p| p != 0);
        refuse(real_time, "cpu.realtimeRuntime", "cgroup v2 does not divide real-time")?;
    }
    if let Some(io) = &resources.block_io {
        let leaf = |weight: Option<u16>| weight.is_some_and(|weight| weight != 0);
        let asked = leaf(io.leaf_weight) || io.weight_device.iter().any(|device| leaf(device.leaf_weight));
        refuse(asked, "blockIO.leafWeight", GONE)?;
    }
    if let Some(network) = &resources.network {
        let asked = network.class_id.is_some_and(|id| id != 0) || !network.priorities.is_empty();
        refuse(asked, "network", GONE)?;
    }
    Ok(())
}

struct Writes(Vec<Write>);

impl Writes {
    fn push(&mut self, file: impl Into<String>, value: Value) {
        self.0.push(Write { file: file.into(), value, is_optional: false, otherwise: None });
    }

    fn set(&mut self, file: impl Into<String>, value: impl Into<String>) {
        self.push(file, Value::Text(value.into()));
    }

    fn memory(&mut self, memory: &Memory) {
        let given = |value: Option<i64>| value.filter(|value| *value != 0);
        let limit = given(memory.limit);
        if let Some(value) = limit {
            self.set("memory.max", or_max(value));
        }
        if let Some(value) = given(memory.reservation) {
            self.set("memory.low", or_max(value));
        }
        match (given(memory.swap), limit) {
            (Some(swap), _) if swap < 0 => self.set("memory.swap.max", "max"),
            (Some(swap), Some(limit)) if limit > 0 => self.set("memory.swap.max", (swap - limit).max(0).to_string()),
            (Some(swap), None) => self.push("memory.swap.max", Value::SwapBeside(swap)),
            // No limit of memory: none of both together.
            (None, Some(limit)) if limit < 0 => self.set("memory.swap.max", "max"),
            _ => {}
        }
    }

    fn cpu(&mut self, cpu: &Cpu) {
        if let Some(idle) = cpu.idle {
            self.set("cpu.idle", idle.to_string());
        }
        // What is idle has no weight: the kernel refuses one.
        if let Some(shares) = cpu.shares.filter(|shares| *shares > 0 && cpu.idle != Some(1)) {
            self.set("cpu.weight", weight_of_shares(shares).to_string());
            // What everybody has: `ctr` asks for it always, also where no weights can be given.
            self.0.iter_mut().last().into_iter().for_each(|write| write.is_optional = shares == 1024);
        }
        let quota = cpu.quota.filter(|quota| *quota != 0).map(or_max);
        match (quota, cpu.period.filter(|period| *period != 0)) {
            (Some(quota), Some(period)) => self.set("cpu.max", format!("{quota} {period}")),
            (Some(quota), None) => self.set("cpu.max", quota),
            (None, Some(period)) => self.push("cpu.max", Value::Period(period)),
            (None, None) => {}
        }
        if let Some(burst) = cpu.burst {
            self.set("cpu.max.burst", burst.to_string());
        }
        for (file, list) in [("cpuset.cpus", &cpu.cpus), ("cpuset.mems", &cpu.mems)] {
            if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
                self.set(file, list.clone());
            }
        }
    }

    fn io(&mut self, io: &BlockIo) {
        let weights =
            io.weight_device.iter().map(|device| (format!("{}:{} ", device.major, device.minor), device.weight));
        for (device, weight) in std::iter::once((String::new(), io.weight)).chain(weights) {
            let Some(weight) = weight.filter(|weight| *weight > 0) else { continue };
            // The BFQ scheduler has the old scale, and its own file where it is built in.
            self.set("io.bfq.weight", format!("{device}{weight}"));
            let plain = ("io.weight".to_string(), format!("{device}{}", weight_of_block_io(weight)));
            self.0.iter_mut().last().into_iter().for_each(|write| write.otherwise = Some(plain.clone()));
        }
        let mut throttle = |name: &str, devices: &[ThrottleDevice]| {
            for ThrottleDevice { major, minor, rate } in devices {
                let rate = if *rate == 0 { "max".to_string() } else { rate.to_string() };
                self.set("io.max", format!("{major}:{minor} {name}={rate}"));
            }
        };
        throttle("rbps", &io.throttle_read_bps_device);
        throttle("wbps", &io.throttle_write_bps_device);
        throttle("riops", &io.throttle_read_iops_device);
        throttle("wiops", &io.throttle_write_iops_device);
    }
}

fn or_max(value: i64) -> String {
    if value < 0 {
        "max".to_string()
    } else {
        value.to_string()
    }
}

/// 2 to 262144 with 1024 for everybody → 1 to 10000 with 100 for everybody, by the curve that goes through all three points
/// (the one that runc 1.4, crun 1.23 and Kubernetes use: the straight line makes 39 of the default).
pub fn weight_of_shares(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        shares => {
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            10f64.powf(exponent).ceil() as u64
        }
    }
}

/// 10 to 1000 → 1 to 10000.
pub fn weight_of_block_io(weight: u16) -> u64 {
    1 + u64::from(weight.clamp(10, 1000) - 10) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(json: &str) -> Result<Vec<(String, String)>, Refused> {
        let writes = lower(&serde_json::from_str(json).unwrap())?;
        Ok(writes
            .into_iter()
            .map(|write| match write.value {
                Value::Text(text) => (write.file, text),
                other => (write.file, format!("{other:?}")),
            })
            .collect())
    }

    fn assert_lowers(json: &str, wanted: &[(&str, &str)]) {
        let wanted: Vec<_> = wanted.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        assert_eq!(lowered(json).unwrap(), wanted, "{json}");
    }

    #[test]
    fn memory_and_swap_are_told_apart() {
        assert_lowers(
            r#"{"memory":{"limit":1000,"swap":1500,"reservation":500}}"#,
            &[("memory.max", "1000"), ("memory.low", "500"), ("memory.swap.max", "500")],
        );
        assert_lowers(r#"{"memory":{"limit":1000,"swap":1000}}"#, &[("memory.max", "1000"), ("memory.swap.max", "0")]);
        assert_lowers(r#"{"memory":{"limit":-1}}"#, &[("memory.max", "max"), ("memory.swap.max", "max")]);
        assert_lowers(r#"{"memory":{"limit":9,"swap":-1}}"#, &[("memory.max", "9"), ("memory.swap.max", "max")]);
        assert_lowers(r#"{"memory":{"swap":1500}}"#, &[("memory.swap.max", "SwapBeside(1500)")]);
    }

    #[test]
    fn a_part_of_cpu_max_leaves_the_other() {
        assert_lowers(r#"{"cpu":{"quota":50000,"period":100000}}"#, &[("cpu.max", "50000 100000")]);
        assert_lowers(r#"{"cpu":{"quota":-1}}"#, &[("cpu.max", "max")]);
        assert_lowers(r#"{"cpu":{"period":20000}}"#, &[("cpu.max", "Period(20000)")]);
        assert_lowers(r#"{"cpu":{"idle":1,"shares":1024}}"#, &[("cpu.idle", "1")]);
        assert_lowers(
            r#"{"cpu":{"cpus":"0-1","mems":"","burst":5}}"#,
            &[("cpu.max.burst", "5"), ("cpuset.cpus", "0-1")],
        );
    }

    #[test]
    fn the_shares_that_everybody_has_need_no_controller() {
        let write = |shares: u64| {
            lower(&Resources { cpu: Some(Cpu { shares: Some(shares), ..Cpu::default() }), ..Resources::default() })
        };
        assert_eq!(write(1024).unwrap()[0].controller(), None);
        assert_eq!(write(512).unwrap()[0].controller(), Some("cpu"));
    }

    #[test]
    fn shares_keep_their_ends_and_their_middle() {
        for (shares, weight) in
            [(0, 1), (2, 1), (3, 2), (512, 59), (1024, 100), (2048, 174), (262_144, 10_000), (u64::MAX, 10_000)]
        {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
        assert_eq!([10, 500, 1000].map(weight_of_block_io), [1, 4950, 10_000]);
    }

    #[test]
    fn devices_are_named_by_number() {
        let json = r#"{"blockIO":{"weight":500,"weightDevice":[{"major":8,"minor":0,"weight":10}],
            "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1024}],"throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":0}]}}"#;
        assert_lowers(
            json,
            &[
                ("io.bfq.weight", "500"),
                ("io.bfq.weight", "8:0 10"),
                ("io.max", "8:0 rbps=1024"),
                ("io.max", "8:16 wiops=max"),
            ],
        );
        let writes = lower(&serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(writes[1].otherwise, Some(("io.weight".into(), "8:0 1".into())));
    }

    #[test]
    fn huge_pages_rdma_and_unified_pass() {
        assert_lowers(
            r#"{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}],"rdma":{"mlx5_0":{"hcaHandles":3}},"unified":{"memory.high":"9"}}"#,
            &[
                ("hugetlb.2MB.max", "4194304"),
                ("hugetlb.2MB.rsvd.max", "4194304"),
                ("rdma.max", "mlx5_0 hca_handle=3"),
                ("memory.high", "9"),
            ],
        );
        let other = lowered(r#"{"hugepageLimits":[{"pagesize":"2MB","limit":4}]}"#).unwrap();
        assert_eq!(other.first(), Some(&("hugetlb.2MB.max".to_string(), "4".to_string())));
    }

    #[test]
    fn what_engines_always_send_is_no_limit() {
        assert_lowers(
            r#"{"devices":[{"allow":false,"access":"rwm"}],"memory":{"limit":0},"pids":{},"unified":null}"#,
            &[],
        );
        assert_lowers(
            r#"{"memory":{"disableOOMKiller":false,"kernel":1},"cpu":{"shares":0,"realtimeRuntime":0}}"#,
            &[],
        );
    }

    #[test]
    fn no_processes_at_all_is_a_limit_since_version_1_3() {
        for (version, limit) in [("1.0.2-dev", None), ("1.2.1", None), ("1.3.0", Some("1")), ("1.10.0-rc.1", Some("1"))]
        {
            let mut resources: Resources = serde_json::from_str(r#"{"pids":{"limit":0}}"#).unwrap();
            as_of(version, &mut resources);
            let writes = lower(&resources).unwrap();
            let written = writes.first().map(|write| write.value.clone());
            assert_eq!(written, limit.map(|limit| Value::Text(limit.into())), "{version}");
        }
    }

    #[test]
    fn what_v2_has_not_is_refused_with_its_name() {
        for (json, field) in [
            (r#"{"memory":{"swappiness":0}}"#, "memory.swappiness"),
            (r#"{"memory":{"disableOOMKiller":true}}"#, "memory.disableOOMKiller"),
            (r#"{"cpu":{"realtimeRuntime":1000}}"#, "cpu.realtimeRuntime"),
            (r#"{"blockIO":{"leafWeight":10}}"#, "blockIO.leafWeight"),
            (r#"{"network":{"classID":7}}"#, "network"),
        ] {
            assert_eq!(lowered(json).unwrap_err().field, field);
        }
    }
}
