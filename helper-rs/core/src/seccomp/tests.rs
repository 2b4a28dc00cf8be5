//! Runs compiled filters in a small interpreter and compares them with a plain reading of the profile.

use super::syscalls::{number, Number, X32_BIT};
use super::{compile, Arch, Insn, Program, SeccompError};
use crate::oci::runtime::{Seccomp, SeccompArg, SeccompRule};

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const EPERM: u32 = 0x0005_0001;

fn errno(number: u32) -> u32 {
    0x0005_0000 | number
}

/// struct seccomp_data, without the instruction pointer.
#[derive(Debug, Clone, Copy)]
struct Call {
    arch: Arch,
    nr: u32,
    args: [u64; 6],
}

fn call(arch: Arch, name: &str, args: &[u64]) -> Call {
    let Number::Is(nr) = number(name, arch) else { panic!("{name} is no call of {arch:?}") };
    let mut all = [0; 6];
    for (slot, value) in all.iter_mut().zip(args) {
        *slot = *value;
    }
    Call { arch, nr, args: all }
}

/// The kernel's classic BPF, as far as filters use it: the answer, and how many instructions it took.
fn run(program: &[Insn], call: &Call) -> (u32, usize) {
    let word = |offset: u32| match offset {
        0 => call.nr,
        4 => call.arch.token(),
        16..=63 if offset & 3 == 0 => {
            let value = call.args[(offset as usize - 16) / 8];
            if offset & 4 == 0 {
                value as u32
            } else {
                (value >> 32) as u32
            }
        }
        _ => panic!("bad offset {offset}"),
    };
    let (mut pc, mut a, mut steps) = (0usize, 0u32, 0);
    loop {
        let insn = program[pc];
        steps += 1;
        pc += 1;
        let mut jump = |yes: bool| pc += usize::from(if yes { insn.jt } else { insn.jf });
        match insn.code {
            0x20 => a = word(insn.k),
            0x54 => a &= insn.k,
            0x05 => pc += insn.k as usize,
            0x15 => jump(a == insn.k),
            0x25 => jump(a > insn.k),
            0x35 => jump(a >= insn.k),
            0x06 => return (insn.k, steps),
            code => panic!("bad code {code:#x}"),
        }
    }
}

fn answer(program: &Program, call: Call) -> u32 {
    run(&program.instructions, &call).0
}

fn profile(default: &str, archs: &[&str], rules: Vec<SeccompRule>) -> Seccomp {
    Seccomp {
        default_action: default.to_string(),
        architectures: archs.iter().map(|name| name.to_string()).collect(),
        syscalls: rules,
        ..Seccomp::default()
    }
}

fn rule(names: &[&str], action: &str, args: &[(u32, &str, u64, u64)]) -> SeccompRule {
    let args = args.iter().map(|(index, op, value, value_two)| SeccompArg {
        index: *index,
        value: *value,
        value_two: *value_two,
        op: format!("SCMP_CMP_{op}"),
    });
    SeccompRule {
        names: names.iter().map(|name| name.to_string()).collect(),
        action: format!("SCMP_ACT_{action}"),
        errno_ret: None,
        args: args.collect(),
    }
}

fn with_errno(mut rule: SeccompRule, number: u32) -> SeccompRule {
    rule.errno_ret = Some(number);
    rule
}

#[test]
fn every_action_becomes_the_kernels_value() {
    let table = [
        ("KILL", None, 0),
        ("KILL_THREAD", None, 0),
        ("KILL_PROCESS", None, 0x8000_0000),
        ("TRAP", None, 0x0003_0000),
        ("ERRNO", None, 0x0005_0001),
        ("ERRNO", Some(38), 0x0005_0026),
        ("ERRNO", Some(0), 0x0005_0000),
        ("TRACE", None, 0x7ff0_0001),
        ("TRACE", Some(77), 0x7ff0_004d),
        ("LOG", None, 0x7ffc_0000),
        ("ALLOW", None, 0x7fff_0000),
        ("NOTIFY", None, 0x7fc0_0000),
    ];
    for (action, data, value) in table {
        let mut one = rule(&["mkdir"], action, &[]);
        one.errno_ret = data;
        let program = compile(&profile("SCMP_ACT_KILL_PROCESS", &[], vec![one]), Arch::X86_64).unwrap();
        assert_eq!(answer(&program, call(Arch::X86_64, "mkdir", &[])), value, "{action} {data:?}");
        assert_eq!(answer(&program, call(Arch::X86_64, "rmdir", &[])), KILL_PROCESS);
        assert_eq!(program.notifies, action == "NOTIFY");
    }
}

#[test]
fn calls_newer_than_the_profile_do_not_exist_where_the_rest_is_denied() {
    let program = compile(&profile("SCMP_ACT_ERRNO", &[], vec![rule(&["mkdir"], "ALLOW", &[])]), Arch::X86_64).unwrap();
    let nr = |nr: u32| answer(&program, Call { arch: Arch::X86_64, nr, args: [0; 6] });
    assert_eq!((nr(82), nr(83), nr(84), nr(1000)), (EPERM, ALLOW, errno(38), errno(38)));
}

#[test]
fn the_default_action_carries_its_own_errno() {
    let mut one = profile("SCMP_ACT_ERRNO", &[], vec![]);
    one.default_errno_ret = Some(38);
    let program = compile(&one, Arch::Aarch64).unwrap();
    assert_eq!(answer(&program, call(Arch::Aarch64, "read", &[])), errno(38));
    assert_eq!(program.instructions.len(), 1, "nothing is left to ask");
}

#[test]
fn x32_numbers_are_refused_when_only_x86_64_is_listed() {
    let all: Vec<&str> = super::syscalls::names().collect();
    let rules = vec![rule(&all, "ALLOW", &[])];
    let program = compile(&profile("SCMP_ACT_ERRNO", &["SCMP_ARCH_X86_64"], rules.clone()), Arch::X86_64).unwrap();
    for name in ["read", "execve", "ioctl", "futex"] {
        assert_eq!(answer(&program, call(Arch::X86_64, name, &[])), ALLOW);
        assert_eq!(answer(&program, call(Arch::X32, name, &[])), EPERM, "{name}");
        assert_eq!(answer(&program, call(Arch::X86, name, &[])), EPERM, "{name}");
    }
    let listed = profile("SCMP_ACT_ERRNO", &["SCMP_ARCH_X86", "SCMP_ARCH_X32"], rules);
    let program = compile(&listed, Arch::X86_64).unwrap();
    for (arch, name) in [(Arch::X86_64, "read"), (Arch::X32, "execve"), (Arch::X86, "socketcall")] {
        assert_eq!(answer(&program, call(arch, name, &[])), ALLOW);
    }
    assert_eq!(answer(&program, call(Arch::Aarch64, "read", &[])), EPERM);
}

#[test]
fn a_list_of_forbidden_calls_cannot_be_evaded_through_another_architecture() {
    let deny = profile("SCMP_ACT_ALLOW", &["SCMP_ARCH_X86_64"], vec![rule(&["ptrace"], "ERRNO", &[])]);
    let program = compile(&deny, Arch::X86_64).unwrap();
    assert_eq!(answer(&program, call(Arch::X86_64, "ptrace", &[])), EPERM);
    assert_eq!(answer(&program, call(Arch::X86_64, "read", &[])), ALLOW);
    for arch in [Arch::X32, Arch::X86, Arch::Aarch64] {
        assert_eq!(answer(&program, call(arch, "ptrace", &[])), KILL_PROCESS, "{arch:?}");
        assert_eq!(answer(&program, call(arch, "read", &[])), KILL_PROCESS, "{arch:?}");
    }
    let skipped = Call { arch: Arch::X86_64, nr: u32::MAX, args: [0; 6] };
    assert_eq!(answer(&program, skipped), ALLOW, "a tracer skips calls with number -1");
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = vec![
        with_errno(rule(&["socket"], "ERRNO", &[(0, "EQ", 40, 0)]), 97),
        with_errno(rule(&["socket"], "ERRNO", &[(0, "EQ", 16, 0), (2, "EQ", 9, 0)]), 93),
        rule(&["socket"], "ALLOW", &[]),
        rule(&["socket"], "KILL", &[]),
    ];
    let program = compile(&profile("SCMP_ACT_ERRNO", &[], rules), Arch::X86_64).unwrap();
    let socket = |args: &[u64]| answer(&program, call(Arch::X86_64, "socket", args));
    assert_eq!(socket(&[40]), errno(97));
    assert_eq!(socket(&[16, 3, 9]), errno(93));
    assert_eq!(socket(&[16, 3, 8]), ALLOW);
    assert_eq!(socket(&[2, 3, 9]), ALLOW);
}

#[test]
fn conditions_on_one_argument_are_alternatives_as_in_runc() {
    let rules = vec![rule(&["personality"], "ALLOW", &[(0, "EQ", 0, 0), (0, "EQ", 8, 0), (0, "EQ", 0xffff_ffff, 0)])];
    let program = compile(&profile("SCMP_ACT_ERRNO", &[], rules), Arch::X86_64).unwrap();
    for (value, expected) in [(0, ALLOW), (8, ALLOW), (0xffff_ffff, ALLOW), (1, EPERM), (1 << 32, EPERM)] {
        assert_eq!(answer(&program, call(Arch::X86_64, "personality", &[value])), expected, "{value:#x}");
    }
}

#[test]
fn operators_compare_64_bits_unsigned_and_32_on_narrow_architectures() {
    const BIG: u64 = 0x1_0000_0005;
    let table: &[(&str, u64, u64, u64, bool, bool)] = &[
        // operator, value, valueTwo, argument, on x86_64, on x86 (low words)
        ("EQ", 5, 0, 5, true, true),
        ("EQ", 5, 0, BIG, false, true),
        ("NE", 5, 0, BIG, true, false),
        ("NE", 5, 0, 5, false, false),
        ("LT", 6, 0, 5, true, true),
        ("LT", 6, 0, BIG, false, true),
        ("LE", BIG, 0, BIG, true, true),
        ("LE", BIG, 0, BIG + 1, false, false),
        ("GE", BIG, 0, 5, false, true),
        ("GE", 5, 0, BIG, true, true),
        ("GT", 5, 0, BIG, true, false),
        ("GT", 0xffff_ffff, 0, BIG, true, false),
        ("GT", u64::MAX - 1, 0, u64::MAX, true, true),
        ("MASKED_EQ", 0xf0, 0x50, 0x5f, true, true),
        ("MASKED_EQ", 0xf0, 0x5f, 0x5a, true, true),
        ("MASKED_EQ", 0xf0, 0x50, 0x6f, false, false),
        ("MASKED_EQ", 0xffff_ffff, 40, 0x7_0000_0028, true, true),
        ("MASKED_EQ", 0xff_0000_0000, 0x12_0000_0000, 0x12_3456_789a, true, true),
        ("MASKED_EQ", 0xff_0000_0000, 0x12_0000_0000, 0x13_3456_789a, false, true),
        ("MASKED_EQ", 0, 7, 9, true, true),
    ];
    for (op, value, two, argument, wide, narrow) in table.iter().copied() {
        for index in 0..6 {
            let rules = vec![rule(&["prctl"], "ALLOW", &[(index, op, value, two)])];
            let program = compile(&profile("SCMP_ACT_ERRNO", &["SCMP_ARCH_X86"], rules), Arch::X86_64).unwrap();
            for (arch, expected) in [(Arch::X86_64, wide), (Arch::X86, narrow)] {
                let mut args = [0x77; 6];
                args[index as usize] = argument;
                let got = answer(&program, call(arch, "prctl", &args)) == ALLOW;
                assert_eq!(got, expected, "{op} {value:#x} {two:#x} on {argument:#x}, {arch:?}");
            }
        }
    }
}

#[test]
fn names_and_architectures_that_are_unknown_are_ignored_and_listed() {
    let archs = ["SCMP_ARCH_X86_64", "SCMP_ARCH_MIPS64", "SCMP_ARCH_S390X"];
    let rules = vec![rule(&["read", "no_such_call", "socketcall"], "ALLOW", &[]), rule(&["no_such_call"], "KILL", &[])];
    let program = compile(&profile("SCMP_ACT_ERRNO", &archs, rules), Arch::X86_64).unwrap();
    assert_eq!(program.unknown_syscalls, ["no_such_call"]);
    assert_eq!(program.ignored_architectures, ["SCMP_ARCH_MIPS64", "SCMP_ARCH_S390X"]);
    assert_eq!(answer(&program, call(Arch::X86_64, "read", &[])), ALLOW);
}

#[test]
fn a_profile_that_cannot_be_meant_is_refused_with_its_place() {
    let error = |profile: &Seccomp| compile(profile, Arch::X86_64).unwrap_err();
    assert!(matches!(error(&profile("SCMP_ACT_PERHAPS", &[], vec![])), SeccompError::UnknownAction { .. }));
    assert_eq!(error(&profile("SCMP_ACT_NOTIFY", &[], vec![])), SeccompError::NotifyByDefault);
    let deny = |one| error(&profile("SCMP_ACT_ERRNO", &[], vec![rule(&["read"], "ALLOW", &[]), one]));
    assert_eq!(deny(rule(&["mkdir"], "NO", &[])).to_string(), "syscalls[1]: unknown action \"SCMP_ACT_NO\"");
    let text = deny(rule(&["mkdir"], "ALLOW", &[(0, "EQ", 1, 0), (1, "LIKE", 1, 0)])).to_string();
    assert_eq!(text, "syscalls[1].args[1]: unknown operator \"SCMP_CMP_LIKE\"");
    assert!(matches!(
        deny(rule(&["mkdir"], "ALLOW", &[(6, "EQ", 1, 0)])),
        SeccompError::ArgumentIndex { index: 6, .. }
    ));
    let too_large = deny(with_errno(rule(&["mkdir"], "ERRNO", &[]), 4096));
    assert!(matches!(too_large, SeccompError::ErrnoRange { value: 4096, limit: 4095, .. }));
}

#[test]
fn a_filter_too_long_for_the_kernel_is_refused() {
    let names: Vec<&str> = super::syscalls::names().collect();
    let rules = names
        .iter()
        .enumerate()
        .map(|(at, name)| rule(&[name], "ALLOW", &[(0, "EQ", at as u64, 0), (1, "EQ", 1, 0), (2, "NE", 1, 0)]))
        .collect();
    let error = compile(&profile("SCMP_ACT_ERRNO", &[], rules), Arch::X86_64).unwrap_err();
    assert!(matches!(error, SeccompError::TooLong { instructions } if instructions > 4096));
}

#[test]
fn a_call_is_answered_within_a_dozen_and_a_half_instructions() {
    let names: Vec<&str> = super::syscalls::names().step_by(2).collect();
    let archs = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    let program = compile(&profile("SCMP_ACT_ERRNO", &archs, vec![rule(&names, "ALLOW", &[])]), Arch::X86_64).unwrap();
    let worst = (0..600).map(|nr| run(&program.instructions, &Call { arch: Arch::X86_64, nr, args: [0; 6] }).1).max();
    assert!(worst <= Some(18), "{worst:?} of {}", program.instructions.len());
}

#[test]
fn the_table_is_sorted_and_agrees_with_the_kernels_headers() {
    let names: Vec<&str> = super::syscalls::names().collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
    let table = [
        ("read", 0, 3, 63),
        ("clone3", 435, 435, 435),
        ("openat2", 437, 437, 437),
        ("file_setattr", 469, 469, 469),
        ("seccomp", 317, 354, 277),
        ("renameat", 264, 302, 38),
    ];
    for (name, x86_64, x86, aarch64) in table {
        assert_eq!(number(name, Arch::X86_64), Number::Is(x86_64));
        assert_eq!(number(name, Arch::X86), Number::Is(x86));
        assert_eq!(number(name, Arch::Aarch64), Number::Is(aarch64));
    }
    assert_eq!(number("execve", Arch::X32), Number::Is(X32_BIT | 520));
    assert_eq!(number("uselib", Arch::X32), Number::Absent);
    assert_eq!(number("open", Arch::Aarch64), Number::Absent);
    assert_eq!(number("opan", Arch::X86), Number::Unknown);
}

/// xorshift64*: the same cases at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

const ACTIONS: &[&str] = &["ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "TRAP", "TRACE", "LOG", "NOTIFY"];
const OPERATORS: &[&str] = &["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"];
const ARCHS: &[(Arch, &str)] = &[
    (Arch::X86_64, "SCMP_ARCH_X86_64"),
    (Arch::X86, "SCMP_ARCH_X86"),
    (Arch::X32, "SCMP_ARCH_X32"),
    (Arch::Aarch64, "SCMP_ARCH_AARCH64"),
];
/// Values near every border that a comparison of two words can get wrong.
const VALUES: &[u64] =
    &[0, 1, 5, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0005, 0xffff_ffff_0000_0000, u64::MAX - 1, u64::MAX];

fn random_profile(random: &mut Random, names: &[&'static str]) -> Seccomp {
    let rules = (0..random.below(32)).map(|_| {
        let chosen: Vec<&str> = (0..1 + random.below(12)).map(|_| random.pick(names)).collect();
        let mut indexes = [0u32, 1, 2, 3, 4, 5];
        let args: Vec<(u32, &str, u64, u64)> = (0..random.below(4) as usize)
            .map(|at| {
                indexes.swap(at, at + random.below(6 - at as u64) as usize);
                (indexes[at], random.pick(OPERATORS), random.pick(VALUES), random.pick(VALUES))
            })
            .collect();
        let mut one = rule(&chosen, random.pick(ACTIONS), &args);
        one.errno_ret = random.pick(&[None, Some(38), Some(1)]);
        one
    });
    let rules = rules.collect();
    let archs: Vec<&str> = ARCHS.iter().filter(|_| random.below(2) == 0).map(|arch| arch.1).collect();
    profile(&format!("SCMP_ACT_{}", random.pick(&ACTIONS[..6])), &archs, rules)
}

/// The specification read literally, one rule after the other.
fn expected(profile: &Seccomp, native: Arch, call: &Call) -> u32 {
    let value = |action: &str, data: Option<u32>| super::action::value(action, data).unwrap();
    let default = value(&profile.default_action, profile.default_errno_ret);
    let denied = if matches!(default, ALLOW | 0x7ffc_0000) { KILL_PROCESS } else { default };
    if call.nr == u32::MAX {
        let shares = |arch: Arch| arch.token() == call.arch.token();
        let known =
            shares(native) || ARCHS.iter().any(|a| shares(a.0) && profile.architectures.iter().any(|n| n == a.1));
        return if known { default } else { denied };
    }
    let listed = |arch: Arch| {
        arch == native
            || ARCHS.iter().any(|one| one.0 == arch && profile.architectures.iter().any(|name| name == one.1))
    };
    let arch = match call.arch {
        Arch::X86_64 | Arch::X32 if call.nr & X32_BIT != 0 => Arch::X32,
        Arch::X32 => Arch::X86_64,
        arch => arch,
    };
    if !listed(arch) {
        return denied;
    }
    let numbers = profile.syscalls.iter().flat_map(|rule| &rule.names).filter_map(|name| match number(name, arch) {
        Number::Is(number) => Some(number),
        _ => None,
    });
    let is_newer = numbers.max().is_some_and(|newest| call.nr > newest && call.nr < arch.numbers().end);
    let default = if default == EPERM && is_newer { errno(38) } else { default };
    let cut = |value: u64| if arch.wide() { value } else { value & 0xffff_ffff };
    for rule in &profile.syscalls {
        let named = rule.names.iter().any(|name| number(name, arch) == Number::Is(call.nr));
        let holds = rule.args.iter().all(|arg| {
            let (have, want, two) = (cut(call.args[arg.index as usize]), cut(arg.value), cut(arg.value_two));
            match arg.op.as_str() {
                "SCMP_CMP_EQ" => have == want,
                "SCMP_CMP_NE" => have != want,
                "SCMP_CMP_LT" => have < want,
                "SCMP_CMP_LE" => have <= want,
                "SCMP_CMP_GT" => have > want,
                "SCMP_CMP_GE" => have >= want,
                _ => have & want == two & want,
            }
        });
        if named && holds {
            return value(&rule.action, rule.errno_ret);
        }
    }
    default
}

#[test]
fn compiled_filters_agree_with_a_plain_reading_of_the_profile() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let names: Vec<&'static str> = super::syscalls::names().collect();
    let mut longest = 0;
    for case in 0..400 {
        let profile = random_profile(&mut random, &names);
        let native = random.pick(&[Arch::X86_64, Arch::Aarch64]);
        let program = compile(&profile, native).unwrap();
        longest = longest.max(program.instructions.len());
        for _ in 0..400 {
            let arch = random.pick(ARCHS).0;
            let rule = profile.syscalls.get(random.below(1 + profile.syscalls.len() as u64) as usize);
            let name = match rule {
                Some(rule) => names_of(rule, &mut random),
                None => random.pick(&names),
            };
            let nr = match number(name, arch) {
                Number::Is(nr) => nr,
                _ => random.pick(&[0, 470, X32_BIT, X32_BIT + 600, u32::MAX - 1, u32::MAX]),
            };
            let call = Call { arch, nr, args: [(); 6].map(|()| random.pick(VALUES)) };
            let got = answer(&program, call);
            assert_eq!(got, expected(&profile, native, &call), "case {case}: {call:?}\n{profile:?}");
        }
    }
    assert!(longest > 600, "only {longest} instructions: long jumps were not tried");
}

fn names_of(rule: &SeccompRule, random: &mut Random) -> &'static str {
    let name = &rule.names[random.below(rule.names.len() as u64) as usize];
    super::syscalls::names().find(|known| known == name).unwrap()
}
