//! The properties of config.json (config.md and config-linux.md), their types, and which are required.

use super::platforms;
use crate::validate::shape::{optional, required, Object, Shape, I32, I64, TEXTS, TEXT_MAP, U16, U32, U64};

pub static CONFIG: Object = Object {
    section: "config.md#configuration",
    fields: &[
        required("ociVersion", Shape::Text),
        optional("root", Shape::Object(&ROOT)),
        optional("mounts", Shape::List(&Shape::Object(&MOUNT))),
        optional("process", Shape::Object(&PROCESS)),
        optional("hostname", Shape::Text),
        optional("domainname", Shape::Text),
        optional("hooks", Shape::Object(&HOOKS)),
        optional("annotations", TEXT_MAP),
        optional("linux", Shape::Object(&LINUX)),
        optional("vm", Shape::Object(&platforms::VM)),
        optional("windows", Shape::Object(&platforms::WINDOWS)),
        optional("zos", Shape::Object(&platforms::ZOS)),
    ],
};

static ROOT: Object =
    Object { section: "config.md#root", fields: &[required("path", Shape::Text), optional("readonly", Shape::Bool)] };

static MOUNT: Object = Object {
    section: "config.md#mounts",
    fields: &[
        required("destination", Shape::Text),
        optional("source", Shape::Text),
        optional("type", Shape::Text),
        optional("options", TEXTS),
        optional("uidMappings", Shape::List(&Shape::Object(&MAPPING))),
        optional("gidMappings", Shape::List(&Shape::Object(&MAPPING))),
    ],
};

static PROCESS: Object = Object {
    section: "config.md#process",
    fields: &[
        optional("terminal", Shape::Bool),
        optional("consoleSize", Shape::Object(&CONSOLE_SIZE)),
        required("cwd", Shape::Text),
        optional("env", TEXTS),
        optional("args", TEXTS),
        optional("rlimits", Shape::List(&Shape::Object(&RLIMIT))),
        optional("apparmorProfile", Shape::Text),
        optional("capabilities", Shape::Object(&CAPABILITIES)),
        optional("noNewPrivileges", Shape::Bool),
        optional("oomScoreAdj", I32),
        optional("scheduler", Shape::Object(&SCHEDULER)),
        optional("selinuxLabel", Shape::Text),
        optional("ioPriority", Shape::Object(&IO_PRIORITY)),
        optional("execCPUAffinity", Shape::Object(&CPU_AFFINITY)),
        optional("user", Shape::Object(&USER)),
    ],
};

static CONSOLE_SIZE: Object =
    Object { section: "config.md#process", fields: &[required("height", U64), required("width", U64)] };

static RLIMIT: Object = Object {
    section: "config.md#posix-process",
    fields: &[required("type", Shape::Text), required("soft", U64), required("hard", U64)],
};

static CAPABILITIES: Object = Object {
    section: "config.md#linux-process",
    fields: &[
        optional("effective", TEXTS),
        optional("bounding", TEXTS),
        optional("inheritable", TEXTS),
        optional("permitted", TEXTS),
        optional("ambient", TEXTS),
    ],
};

static SCHEDULER: Object = Object {
    section: "config.md#linux-process",
    fields: &[
        required("policy", Shape::Text),
        optional("nice", I32),
        optional("priority", I32),
        optional("flags", TEXTS),
        optional("runtime", U64),
        optional("deadline", U64),
        optional("period", U64),
    ],
};

static IO_PRIORITY: Object =
    Object { section: "config.md#linux-process", fields: &[required("class", Shape::Text), required("priority", I32)] };

static CPU_AFFINITY: Object = Object {
    section: "config.md#linux-process",
    fields: &[optional("initial", Shape::Text), optional("final", Shape::Text)],
};

static USER: Object = Object {
    section: "config.md#posix-platform-user",
    fields: &[
        required("uid", U32),
        required("gid", U32),
        optional("umask", U32),
        optional("additionalGids", Shape::List(&U32)),
    ],
};

static HOOKS: Object = Object {
    section: "config.md#posix-platform-hooks",
    fields: &[
        optional("prestart", Shape::List(&Shape::Object(&HOOK))),
        optional("createRuntime", Shape::List(&Shape::Object(&HOOK))),
        optional("createContainer", Shape::List(&Shape::Object(&HOOK))),
        optional("startContainer", Shape::List(&Shape::Object(&HOOK))),
        optional("poststart", Shape::List(&Shape::Object(&HOOK))),
        optional("poststop", Shape::List(&Shape::Object(&HOOK))),
    ],
};

static HOOK: Object = Object {
    section: "config.md#posix-platform-hooks",
    fields: &[required("path", Shape::Text), optional("args", TEXTS), optional("env", TEXTS), optional("timeout", I64)],
};

static LINUX: Object = Object {
    section: "config-linux.md",
    fields: &[
        optional("namespaces", Shape::List(&Shape::Object(&NAMESPACE))),
        optional("uidMappings", Shape::List(&Shape::Object(&MAPPING))),
        optional("gidMappings", Shape::List(&Shape::Object(&MAPPING))),
        optional("timeOffsets", Shape::Map(&Shape::Object(&TIME_OFFSET))),
        optional("devices", Shape::List(&Shape::Object(&DEVICE))),
        optional("netDevices", Shape::Map(&Shape::Object(&NET_DEVICE))),
        optional("cgroupsPath", Shape::Text),
        optional("resources", Shape::Object(&RESOURCES)),
        optional("intelRdt", Shape::Object(&INTEL_RDT)),
        optional("memoryPolicy", Shape::Object(&MEMORY_POLICY)),
        optional("sysctl", TEXT_MAP),
        optional("seccomp", Shape::Object(&SECCOMP)),
        optional("rootfsPropagation", Shape::Text),
        optional("maskedPaths", TEXTS),
        optional("readonlyPaths", TEXTS),
        optional("mountLabel", Shape::Text),
        optional("personality", Shape::Object(&PERSONALITY)),
    ],
};

static NAMESPACE: Object = Object {
    section: "config-linux.md#namespaces",
    fields: &[required("type", Shape::Text), optional("path", Shape::Text)],
};

static MAPPING: Object = Object {
    section: "config-linux.md#user-namespace-mappings",
    fields: &[required("containerID", U32), required("hostID", U32), required("size", U32)],
};

static TIME_OFFSET: Object = Object {
    section: "config-linux.md#offset-for-time-namespace",
    fields: &[optional("secs", I64), optional("nanosecs", U32)],
};

static DEVICE: Object = Object {
    section: "config-linux.md#devices",
    fields: &[
        required("type", Shape::Text),
        required("path", Shape::Text),
        optional("major", I64),
        optional("minor", I64),
        optional("fileMode", U32),
        optional("uid", U32),
        optional("gid", U32),
    ],
};

static NET_DEVICE: Object =
    Object { section: "config-linux.md#network-devices", fields: &[optional("name", Shape::Text)] };

static RESOURCES: Object = Object {
    section: "config-linux.md#control-groups",
    fields: &[
        optional("devices", Shape::List(&Shape::Object(&DEVICE_RULE))),
        optional("memory", Shape::Object(&MEMORY)),
        optional("cpu", Shape::Object(&CPU)),
        optional("blockIO", Shape::Object(&BLOCK_IO)),
        optional("hugepageLimits", Shape::List(&Shape::Object(&HUGEPAGE))),
        optional("network", Shape::Object(&NETWORK)),
        optional("pids", Shape::Object(&PIDS)),
        optional("rdma", Shape::Map(&Shape::Object(&RDMA))),
        optional("unified", TEXT_MAP),
    ],
};

static DEVICE_RULE: Object = Object {
    section: "config-linux.md#allowed-device-list",
    fields: &[
        required("allow", Shape::Bool),
        optional("type", Shape::Text),
        optional("major", I64),
        optional("minor", I64),
        optional("access", Shape::Text),
    ],
};

static MEMORY: Object = Object {
    section: "config-linux.md#memory",
    fields: &[
        optional("limit", I64),
        optional("reservation", I64),
        optional("swap", I64),
        optional("kernel", I64),
        optional("kernelTCP", I64),
        optional("swappiness", U64),
        optional("disableOOMKiller", Shape::Bool),
        optional("useHierarchy", Shape::Bool),
        optional("checkBeforeUpdate", Shape::Bool),
    ],
};

static CPU: Object = Object {
    section: "config-linux.md#cpu",
    fields: &[
        optional("shares", U64),
        optional("quota", I64),
        optional("burst", U64),
        optional("period", U64),
        optional("realtimeRuntime", I64),
        optional("realtimePeriod", U64),
        optional("cpus", Shape::Text),
        optional("mems", Shape::Text),
        optional("idle", I64),
    ],
};

static BLOCK_IO: Object = Object {
    section: "config-linux.md#block-io",
    fields: &[
        optional("weight", U16),
        optional("leafWeight", U16),
        optional("weightDevice", Shape::List(&Shape::Object(&WEIGHT_DEVICE))),
        optional("throttleReadBpsDevice", Shape::List(&Shape::Object(&THROTTLE_DEVICE))),
        optional("throttleWriteBpsDevice", Shape::List(&Shape::Object(&THROTTLE_DEVICE))),
        optional("throttleReadIOPSDevice", Shape::List(&Shape::Object(&THROTTLE_DEVICE))),
        optional("throttleWriteIOPSDevice", Shape::List(&Shape::Object(&THROTTLE_DEVICE))),
    ],
};

static WEIGHT_DEVICE: Object = Object {
    section: "config-linux.md#block-io",
    fields: &[required("major", I64), required("minor", I64), optional("weight", U16), optional("leafWeight", U16)],
};

static THROTTLE_DEVICE: Object = Object {
    section: "config-linux.md#block-io",
    fields: &[required("major", I64), required("minor", I64), required("rate", U64)],
};

static HUGEPAGE: Object = Object {
    section: "config-linux.md#huge-page-limits",
    fields: &[required("pageSize", Shape::Text).misspelled("pagesize"), required("limit", U64)],
};

static NETWORK: Object = Object {
    section: "config-linux.md#network",
    fields: &[optional("classID", U32), optional("priorities", Shape::List(&Shape::Object(&PRIORITY)))],
};

static PRIORITY: Object =
    Object { section: "config-linux.md#network", fields: &[required("name", Shape::Text), required("priority", U32)] };

static PIDS: Object = Object { section: "config-linux.md#pids", fields: &[optional("limit", I64)] };

static RDMA: Object =
    Object { section: "config-linux.md#rdma", fields: &[optional("hcaHandles", U32), optional("hcaObjects", U32)] };

static INTEL_RDT: Object = Object {
    section: "config-linux.md#intelrdt",
    fields: &[
        optional("closID", Shape::Text),
        optional("l3CacheSchema", Shape::Text),
        optional("memBwSchema", Shape::Text),
        optional("schemata", TEXTS),
        optional("enableMonitoring", Shape::Bool),
        optional("enableCMT", Shape::Bool),
        optional("enableMBM", Shape::Bool),
    ],
};

static MEMORY_POLICY: Object = Object {
    section: "config-linux.md#memory-policy",
    fields: &[required("mode", Shape::Text), optional("nodes", Shape::Text), optional("flags", TEXTS)],
};

static SECCOMP: Object = Object {
    section: "config-linux.md#seccomp",
    fields: &[
        required("defaultAction", Shape::Text),
        optional("defaultErrnoRet", U32),
        optional("architectures", TEXTS),
        optional("flags", TEXTS),
        optional("listenerPath", Shape::Text),
        optional("listenerMetadata", Shape::Text),
        optional("syscalls", Shape::List(&Shape::Object(&SYSCALL))),
    ],
};

static SYSCALL: Object = Object {
    section: "config-linux.md#seccomp",
    fields: &[
        required("names", TEXTS),
        required("action", Shape::Text),
        optional("errnoRet", U32),
        optional("args", Shape::List(&Shape::Object(&ARG))),
    ],
};

static ARG: Object = Object {
    section: "config-linux.md#seccomp",
    fields: &[required("index", U32), required("value", U64), optional("valueTwo", U64), required("op", Shape::Text)],
};

static PERSONALITY: Object = Object {
    section: "config-linux.md#personality",
    fields: &[required("domain", Shape::Text), optional("flags", TEXTS)],
};
