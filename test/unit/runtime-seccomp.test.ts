/** Seccomp profiles: docker's conditions, the default list, and the emulation of root. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { defaultCapabilities } from '../../src/runtime/capabilities.ts';
import type { OciSeccomp } from '../../src/runtime/oci.ts';
import { architectures, type Condition, convertProfile, isAtLeast } from '../../src/runtime/seccomp.ts';
import { allowed } from '../../src/runtime/seccomp-default/allowed.ts';
import { defaultProfile } from '../../src/runtime/seccomp-default/profile.ts';
import { parseProfile } from '../../src/runtime/seccomp-profile.ts';
import { emulateRoot } from '../../src/runtime/seccomp-root.ts';

const facts = { capabilities: defaultCapabilities, arch: 'x64', kernel: '6.1.0-13-amd64' };
const rulesFor = (filter: OciSeccomp, name: string) => filter.syscalls.filter((rule) => rule.names.includes(name));
const withCaps = (...names: string[]) => convertProfile(defaultProfile, { ...facts, capabilities: [...defaultCapabilities, ...names] });
const byDefault = convertProfile(defaultProfile, facts);

const conditions: readonly (readonly [string, Condition, Condition, boolean])[] = [
  ['no condition', {}, {}, true],
  ['a capability that is there', { caps: ['CAP_CHOWN'] }, {}, true],
  ['a capability that is not', { caps: ['CAP_SYS_ADMIN'] }, {}, false],
  ['two capabilities of which one is not', { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] }, {}, false],
  ['an excluded capability that is there', {}, { caps: ['CAP_CHOWN'] }, false],
  ['an excluded capability that is not', {}, { caps: ['CAP_SYS_ADMIN'] }, true],
  ['this architecture among others', { arches: ['arm64', 'amd64'] }, {}, true],
  ['another architecture', { arches: ['s390x'] }, {}, false],
  ['this architecture excluded', {}, { arches: ['x32'] }, false],
  ['an older kernel', { minKernel: '4.8' }, {}, true],
  ['a newer kernel', { minKernel: '6.2' }, {}, false],
  ['empty lists', { caps: [], arches: [] }, { caps: [], arches: [] }, true],
];

for (const [name, includes, excludes, kept] of conditions) {
  test(`a rule with ${name} is ${kept ? 'kept' : 'left out'}`, () => {
    const profile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW', includes, excludes }] };
    assert.is(convertProfile(profile, facts).syscalls.length, kept ? 1 : 0);
  });
}

test('kernels are compared by number', () => {
  assert.ok(isAtLeast('6.18.44-fc', '6.9'));
  assert.ok(isAtLeast('5.4', '5.4'));
  assert.not.ok(isAtLeast('4.19.0', '5.0'));
  assert.not.ok(isAtLeast('5.3.18', '5.4'));
});

test('the default refuses what is not listed', () => {
  assert.is(byDefault.defaultAction, 'SCMP_ACT_ERRNO');
  assert.is(byDefault.defaultErrnoRet, 1);
  for (const name of [
    'mount',
    'unshare',
    'setns',
    'bpf',
    'keyctl',
    'add_key',
    'init_module',
    'kexec_load',
    'io_uring_setup',
    'userfaultfd',
    'perf_event_open',
    'open_by_handle_at',
    'pivot_root',
    'swapon',
    'reboot',
  ]) {
    assert.equal(rulesFor(byDefault, name), [], name);
  }
});

test('the default allows what programs need', () => {
  for (const name of [
    'read',
    'openat',
    'execve',
    'futex',
    'mmap',
    'epoll_wait',
    'chown',
    'setuid',
    'ptrace',
    'chroot',
    'getrandom',
    'rseq',
    'mknod',
  ]) {
    assert.is(rulesFor(byDefault, name).length, 1, name);
    assert.is(rulesFor(byDefault, name)[0]?.action, 'SCMP_ACT_ALLOW');
  }
});

test('no name is in the list twice', () => assert.is(new Set(allowed).size, allowed.length));

test('new namespaces need CAP_SYS_ADMIN, and clone3 says that it does not exist', () => {
  const [clone] = rulesFor(byDefault, 'clone');
  assert.equal(clone?.args, [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]);
  const [clone3] = rulesFor(byDefault, 'clone3');
  assert.equal([clone3?.action, clone3?.errnoRet], ['SCMP_ACT_ERRNO', 38]);
  const admin = withCaps('CAP_SYS_ADMIN');
  for (const name of ['clone', 'clone3', 'unshare', 'mount', 'setns']) {
    assert.equal(
      rulesFor(admin, name).map((rule) => [rule.action, rule.args]),
      [['SCMP_ACT_ALLOW', undefined]],
      name,
    );
  }
});

test('every address family but the three that leave the container is allowed', () => {
  const allows = (family: number) =>
    rulesFor(byDefault, 'socket').some(({ args = [] }) =>
      args.every(({ op, value }) => (op === 'SCMP_CMP_LT' ? family < value : family > value)),
    );
  for (const family of [1, 2, 10, 16, 17, 41]) assert.ok(allows(family), `${family}`);
  for (const family of [38, 39, 40]) assert.not.ok(allows(family), `${family}`);
});

test('each architecture brings those that its processors also run', () => {
  assert.equal(architectures('x64'), ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  assert.equal(architectures('arm64'), ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  assert.throws(
    () => architectures('mips'),
    (error: unknown) => error instanceof RootlessError && error.code === 'ARCH_UNSUPPORTED',
  );
});

const emulated = emulateRoot(byDefault, architectures('x64'));

test('with one id, owners and ids are answered by the helper, and what nobody asks for again succeeds', () => {
  for (const name of ['capset', 'setfsuid', 'setfsgid32']) {
    assert.equal(
      rulesFor(emulated, name).map((rule) => [rule.action, rule.errnoRet]),
      [['SCMP_ACT_ERRNO', 0]],
      name,
    );
  }
  for (const name of ['chown', 'fchownat', 'fchown32', 'setuid', 'setgroups32', 'geteuid', 'getresgid']) {
    assert.equal(
      rulesFor(emulated, name).map((rule) => rule.action),
      ['SCMP_ACT_NOTIFY'],
      name,
    );
  }
  assert.is(rulesFor(emulated, 'read').length, 1);
});

test('with one id, device nodes are recorded, other nodes are made', () => {
  const answer = (mode: number) =>
    rulesFor(emulated, 'mknodat').find(({ args = [] }) =>
      args.every(({ index, value, valueTwo }) => index === 2 && (mode & value) === valueTwo),
    )?.action;
  assert.is(answer(0o020666), 'SCMP_ACT_NOTIFY');
  assert.is(answer(0o060660), 'SCMP_ACT_NOTIFY');
  for (const mode of [0o644, 0o100644, 0o010644, 0o140755]) assert.is(answer(mode), 'SCMP_ACT_ALLOW', mode.toString(8));
});

test('with one id and no filter, only the emulation is left', () => {
  const bare = emulateRoot(undefined, ['SCMP_ARCH_X86_64']);
  assert.is(bare.defaultAction, 'SCMP_ACT_ALLOW');
  assert.not.ok(bare.syscalls.some((rule) => rule.action === 'SCMP_ACT_ALLOW'));
  assert.is(rulesFor(bare, 'chown').length, 1);
});

test("docker's own form of a profile is read: archMap, conditions, null lists, one name", () => {
  const profile = parseProfile(
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ERRNO',
      archMap: [
        { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
        { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: null },
      ],
      syscalls: [
        { names: ['read'], action: 'SCMP_ACT_ALLOW', args: null, comment: '', includes: {}, excludes: { caps: ['CAP_CHOWN'] } },
        { name: 'write', action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 1, valueTwo: 0, op: 'SCMP_CMP_EQ' }] },
      ],
    }),
  );
  assert.equal(profile.syscalls[0]?.excludes, { caps: ['CAP_CHOWN'] });
  assert.equal(profile.syscalls[1]?.names, ['write']);
  assert.ok(profile.architectures?.includes(process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64'));
});

const wrong: readonly (readonly [string, string])[] = [
  ['{', 'not JSON'],
  ['[]', '$ is not an object'],
  ['{}', '$.defaultAction is not a text'],
  ['{"defaultAction":"A","syscalls":{}}', '$.syscalls is not a list'],
  ['{"defaultAction":"A","syscalls":[{"action":"B"}]}', '$.syscalls[0].names is not a list'],
  ['{"defaultAction":"A","syscalls":[{"names":[1],"action":"B"}]}', '$.syscalls[0].names[0] is not a text'],
  [
    '{"defaultAction":"A","syscalls":[{"names":["x"],"action":"B","args":[{"index":-1,"value":0,"op":"C"}]}]}',
    '$.syscalls[0].args[0].index is not a whole number',
  ],
];

for (const [json, message] of wrong) {
  test(`the profile ${json} is refused: ${message}`, () => {
    assert.throws(
      () => parseProfile(json),
      (error: unknown) => error instanceof RootlessError && error.code === 'SECCOMP_PROFILE_INVALID' && error.message.endsWith(message),
    );
  });
}

test.run();
