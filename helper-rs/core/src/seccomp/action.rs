//! What a filter answers: `SCMP_ACT_*` to the kernel's return values (seccomp(2)).

/// The eight actions, and the two that carry data.
pub const NAMES: &[&str] = &[
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
];

pub const KILL_PROCESS: u32 = 0x8000_0000;
const KILL_THREAD: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const ERRNO: u32 = 0x0005_0000;
pub const NOTIFY: u32 = 0x7fc0_0000;
const TRACE: u32 = 0x7ff0_0000;
const LOG: u32 = 0x7ffc_0000;
pub const ALLOW: u32 = 0x7fff_0000;

const EPERM: u32 = 1;
/// The kernel silently lowers a larger errno to this (MAX_ERRNO).
pub const MAX_ERRNO: u32 = 4095;
/// TRACE hands 16 bits to the tracer.
pub const MAX_TRACE: u32 = 0xffff;

/// Why a name and its `errnoRet` are no action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadAction {
    Unknown,
    DataTooLarge { data: u32, limit: u32 },
}

/// The filter's return value for an action; `data` is `errnoRet`, EPERM when it is absent.
pub fn value(name: &str, data: Option<u32>) -> Result<u32, BadAction> {
    let with = |base: u32, limit: u32| match data.unwrap_or(EPERM) {
        data if data > limit => Err(BadAction::DataTooLarge { data, limit }),
        data => Ok(base | data),
    };
    match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Ok(KILL_THREAD),
        "SCMP_ACT_KILL_PROCESS" => Ok(KILL_PROCESS),
        "SCMP_ACT_TRAP" => Ok(TRAP),
        "SCMP_ACT_ERRNO" => with(ERRNO, MAX_ERRNO),
        "SCMP_ACT_TRACE" => with(TRACE, MAX_TRACE),
        "SCMP_ACT_ALLOW" => Ok(ALLOW),
        "SCMP_ACT_LOG" => Ok(LOG),
        "SCMP_ACT_NOTIFY" => Ok(NOTIFY),
        _ => Err(BadAction::Unknown),
    }
}

/// Whether a call that gets this answer is carried out by the kernel without asking anybody.
pub fn lets_through(value: u32) -> bool {
    matches!(value, ALLOW | LOG)
}
