//! Architectures as seccomp sees them: `SCMP_ARCH_*` names, AUDIT_ARCH tokens, width of arguments.

use super::syscalls::X32_BIT;

/// Architectures that the compiler knows. x32 shares its audit token with x86_64 and is told apart by the call's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arch {
    X86_64,
    X86,
    X32,
    Aarch64,
}

impl Arch {
    /// The architecture that this code was built for; `None` where no filter can be made.
    pub fn native() -> Option<Arch> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Arch::X86_64),
            "aarch64" => Some(Arch::Aarch64),
            "x86" => Some(Arch::X86),
            _ => None,
        }
    }

    /// `SCMP_ARCH_X86_64` and so on (config-linux.md#seccomp); `None` for one that this compiler has no numbers for.
    pub fn from_name(name: &str) -> Option<Arch> {
        match name {
            "SCMP_ARCH_X86_64" => Some(Arch::X86_64),
            "SCMP_ARCH_X86" => Some(Arch::X86),
            "SCMP_ARCH_X32" => Some(Arch::X32),
            "SCMP_ARCH_AARCH64" => Some(Arch::Aarch64),
            _ => None,
        }
    }

    /// seccomp_data.arch (linux/audit.h).
    pub fn token(self) -> u32 {
        match self {
            Arch::X86_64 | Arch::X32 => 0xc000_003e,
            Arch::X86 => 0x4000_0003,
            Arch::Aarch64 => 0xc000_00b7,
        }
    }

    /// Whether arguments have 64 bits; on the others only the low word is compared, as libseccomp does.
    pub fn wide(self) -> bool {
        matches!(self, Arch::X86_64 | Arch::Aarch64)
    }

    /// The numbers that belong to the architecture: half-open, up to where the next kind of number begins.
    pub fn numbers(self) -> std::ops::Range<u32> {
        match self {
            Arch::X86_64 => 0..X32_BIT,
            Arch::X32 => X32_BIT..u32::MAX,
            Arch::X86 | Arch::Aarch64 => 0..u32::MAX,
        }
    }
}

/// Those that this compiler has numbers for.
pub const KNOWN: &[&str] = &["SCMP_ARCH_AARCH64", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"];

/// Every `SCMP_ARCH_*` that the specification lists.
pub const NAMES: &[&str] = &[
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
];
