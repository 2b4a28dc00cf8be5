/** Facts of a failed step become words: code, exit code, reason, and a fix only where its cause was seen. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HelperFailure } from '../../src/helper.ts';
import { fileReason } from '../../src/errno.ts';
import { type ExplainFacts, explain } from '../../src/runtime/explain.ts';

const facts: ExplainFacts = {
  image: 'debian',
  command: 'run-me',
  user: 'ana',
  helper: '/opt/rootless/rootless-helper',
  data: '/home/ana/.local/share/rootless',
  freeBytes: 5 * 2 ** 20,
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc', options: [] },
    { destination: '/data', type: 'bind', source: '/h/data', options: [] },
  ],
  switches: { unprivilegedClone: undefined, maxUserNamespaces: '15000', apparmorRestrict: undefined, securityModules: undefined },
  underSeccomp: false,
  mapperFaults: [],
};
const failed = (step: string, more: Partial<HelperFailure> = {}): HelperFailure => ({ event: 'error', step, ...more });
const switched = (more: Partial<ExplainFacts['switches']>): Partial<ExplainFacts> => ({ switches: { ...facts.switches, ...more } });

type Row = readonly [string, HelperFailure, Partial<ExplainFacts>, string, number, RegExp, RegExp | undefined];

const rows: readonly Row[] = [
  [
    'a controller that was not handed down',
    failed('cgroup', { target: '/sys/fs/cgroup/x', message: 'not delegated: io cpuset' }),
    {},
    'CGROUP_NOT_DELEGATED',
    125,
    /cannot limit io, cpuset/,
    /Delegate=cpu cpuset io memory pids/,
  ],
  [
    'a systemd that is nowhere',
    failed('cgroup', { target: 'systemd', message: 'no systemd answers (/run/user/7/bus: ENOENT)' }),
    {},
    'CGROUP_NOT_DELEGATED',
    125,
    /no cgroup is delegated/,
    /enable-linger/,
  ],
  [
    'a value that the kernel refuses',
    failed('cgroup', { target: '/sys/fs/cgroup/x/cpuset.cpus', errno: 'ERANGE' }),
    {},
    'CGROUP_FAILED',
    125,
    /refuses "cpuset.cpus"/,
    undefined,
  ],
  [
    'a job of systemd that failed',
    failed('cgroup', { target: 'rootless-x.scope', message: 'systemd refused: Unit exists' }),
    {},
    'CGROUP_FAILED',
    125,
    /systemd refused: Unit exists/,
    undefined,
  ],
  [
    'a command that is nowhere',
    failed('exec', { errno: 'ENOENT', target: 'nope' }),
    {},
    'COMMAND_NOT_FOUND',
    127,
    /command not found: "nope"/,
    undefined,
  ],
  [
    'a flag that stands after the image',
    failed('exec', { errno: 'ENOENT', target: '-it' }),
    {},
    'COMMAND_NOT_FOUND',
    127,
    /command not found: "-it"/,
    /before the image or container/,
  ],
  [
    'a missing file',
    failed('exec', { errno: 'ENOENT', target: '/bin/nope' }),
    {},
    'COMMAND_NOT_FOUND',
    127,
    /no such file in "debian"/,
    undefined,
  ],
  [
    'a missing interpreter',
    failed('exec', { errno: 'ENOENT', target: '/x', message: 'its interpreter is missing' }),
    {},
    'INTERPRETER_MISSING',
    127,
    /dynamic loader/,
    undefined,
  ],
  [
    'a file without the x bit',
    failed('exec', { errno: 'EACCES', target: '/x' }),
    {},
    'NOT_EXECUTABLE',
    126,
    /permission denied/,
    undefined,
  ],
  ['another architecture', failed('exec', { errno: 'ENOEXEC', target: '/x' }), {}, 'EXEC_FORMAT', 126, /another architecture/, undefined],
  ['too many arguments', failed('exec', { errno: 'E2BIG', target: '/x' }), {}, 'EXEC_FAILED', 126, /E2BIG/, undefined],
  [
    'kernel.unprivileged_userns_clone=0',
    failed('clone', { errno: 'EPERM' }),
    switched({ unprivilegedClone: '0' }),
    'USERNS_UNAVAILABLE',
    125,
    /unprivileged_userns_clone is 0/,
    /unprivileged_userns_clone=1/,
  ],
  [
    'user.max_user_namespaces=0',
    failed('clone', { errno: 'ENOSPC' }),
    switched({ maxUserNamespaces: '0' }),
    'USERNS_UNAVAILABLE',
    125,
    /max_user_namespaces is 0/,
    /max_user_namespaces=/,
  ],
  [
    'too many user namespaces',
    failed('clone', { errno: 'ENOSPC' }),
    {},
    'USERNS_UNAVAILABLE',
    125,
    /reached user.max_user_namespaces \(15000\)/,
    undefined,
  ],
  [
    "AppArmor's restriction",
    failed('clone', { errno: 'EACCES' }),
    switched({ apparmorRestrict: '1' }),
    'USERNS_UNAVAILABLE',
    125,
    /AppArmor/,
    /profile rootless-helper \/opt\/rootless\/rootless-helper/,
  ],
  [
    "AppArmor's restriction, met at the map",
    failed('map-ids', { errno: 'EPERM' }),
    switched({ apparmorRestrict: '1' }),
    'USERNS_UNAVAILABLE',
    125,
    /AppArmor/,
    /apparmor_parser/,
  ],
  [
    'a profile of AppArmor',
    failed('clone', { errno: 'EACCES' }),
    switched({ securityModules: 'lockdown,capability,landlock,apparmor' }),
    'USERNS_UNAVAILABLE',
    125,
    /a profile without "userns,"/,
    /apparmor_parser/,
  ],
  [
    'another security module',
    failed('clone', { errno: 'EACCES' }),
    switched({ securityModules: 'lockdown,capability,selinux' }),
    'USERNS_UNAVAILABLE',
    125,
    /security module of the kernel refuses it \(lockdown,capability,selinux\)/,
    /dmesg/,
  ],
  [
    "an outer container's filter",
    failed('clone', { errno: 'EPERM' }),
    { underSeccomp: true },
    'USERNS_UNAVAILABLE',
    125,
    /seccomp/,
    /seccomp=unconfined/,
  ],
  ['a refusal without a known cause', failed('clone', { errno: 'EPERM' }), {}, 'USERNS_UNAVAILABLE', 125, /chroot/, undefined],
  [
    'a range that newuidmap does not allow',
    failed('map-ids', { target: 'newuidmap', message: 'newuidmap: uid range [1-9) -> [5-9) not allowed' }),
    {},
    'SUBID_MISSING',
    125,
    /"ana" in \/etc\/subuid/,
    /rootless system migrate/,
  ],
  [
    'a newuidmap without privilege',
    failed('map-ids', { target: 'newuidmap', message: 'write failed' }),
    { mapperFaults: [{ path: '/usr/bin/newuidmap', fault: 'no-privilege' }] },
    'NEWUIDMAP_NOT_SETUID',
    125,
    /neither the set-uid bit/,
    /chmod u\+s \/usr\/bin\/newuidmap/,
  ],
  [
    'a newuidmap on a nosuid mount',
    failed('map-ids', { target: 'newuidmap' }),
    { mapperFaults: [{ path: '/u', fault: 'nosuid' }] },
    'NEWUIDMAP_NOT_SETUID',
    125,
    /nosuid/,
    undefined,
  ],
  [
    'a missing source of a mount',
    failed('mount-source', { index: 1, errno: 'ENOENT', target: '/h/data' }),
    {},
    'MOUNT_SOURCE_MISSING',
    125,
    /"\/h\/data": no such file/,
    /mkdir -p \/h\/data/,
  ],
  [
    'a file on a folder',
    failed('mount', { index: 1, errno: 'ENOTDIR', target: '/data' }),
    {},
    'MOUNT_FAILED',
    125,
    /"\/h\/data" on "\/data": not a folder/,
    undefined,
  ],
  [
    '/proc in a container that masks it',
    failed('mount', { index: 0, errno: 'EPERM', target: '/proc' }),
    {},
    'PROC_MASKED',
    125,
    /hides parts of \/proc/,
    /procMount: Unmasked/,
  ],
  [
    'layers that cannot be stacked',
    failed('overlay', { errno: 'EINVAL', target: 'lowerdir=…' }),
    {},
    'OVERLAY_REFUSED',
    125,
    /cannot stack the layers of "debian"/,
    /storage\.json/,
  ],
  [
    "a folder of one's own that the container's root cannot get to",
    failed('overlay', { errno: 'EACCES', target: 'lowerdir=…' }),
    { image: 'rootfs:/h/tree', closed: { '/h/tree': '/h' } },
    'MOUNT_FAILED',
    125,
    /cannot stack the layers of "rootfs:\/h\/tree": permission denied/,
    /^chmod o\+x \/h, or another --userns$/,
  ],
  [
    "a store that the container's root cannot get to",
    failed('overlay', { errno: 'EACCES', target: 'lowerdir=…' }),
    { closedStore: '/home/ana' },
    'START_FAILED',
    125,
    /may not enter the store in "\/home\/ana\/\.local\/share\/rootless"/,
    /^chmod o\+x \/home\/ana, or another --userns$/,
  ],
  ['a full disk', failed('mount', { errno: 'ENOSPC', target: '/x' }), {}, 'DISK_FULL', 125, /5 MiB are free/, undefined],
  [
    'an unknown user',
    failed('user', { target: 'bob', message: "no such user in the container's /etc/passwd" }),
    {},
    'USER_NOT_FOUND',
    125,
    /no user or group "bob" in "debian"/,
    undefined,
  ],
  [
    'a user that is not mapped',
    failed('user', { target: 'uid 70000', errno: 'EINVAL' }),
    {},
    'USER_NOT_MAPPED',
    125,
    /uid 70000/,
    /uid_map/,
  ],
  [
    'a working folder that is missing',
    failed('cwd', { target: '/w', errno: 'ENOENT' }),
    {},
    'WORKDIR_UNUSABLE',
    127,
    /"\/w": no such file or folder/,
    undefined,
  ],
  [
    'a working folder that is closed',
    failed('cwd', { target: '/w', errno: 'EACCES' }),
    {},
    'WORKDIR_UNUSABLE',
    126,
    /permission denied/,
    undefined,
  ],
  [
    'a network that does not come up',
    failed('companion', { target: '/usr/bin/pasta', message: 'No routable interface' }),
    {},
    'NETWORK_FAILED',
    125,
    /No routable interface/,
    undefined,
  ],
  [
    'a sysctl that the kernel refuses',
    failed('sysctl', { target: 'net.x', errno: 'EINVAL' }),
    {},
    'SYSCTL_REFUSED',
    125,
    /"net\.x": invalid argument/,
    undefined,
  ],
  ['a filter that cannot be loaded', failed('seccomp', { errno: 'EINVAL' }), {}, 'SECCOMP_REFUSED', 125, /filter/, undefined],
  [
    'a limit that cannot be set',
    failed('cgroup', { target: 'memory.max', errno: 'EACCES' }),
    {},
    'CGROUP_FAILED',
    125,
    /"memory\.max": permission denied/,
    undefined,
  ],
  [
    'a config that the validator refuses',
    failed('validate', { target: '$.process', message: 'cwd is not absolute' }),
    {},
    'SPEC_INVALID',
    125,
    /cwd is not absolute/,
    undefined,
  ],
  ['any other step', failed('pivot', { errno: 'EINVAL', target: '/' }), {}, 'START_FAILED', 125, /pivot "\/": invalid argument/, undefined],
];

for (const [name, failure, difference, code, exit, says, fix] of rows) {
  test(`${name} is ${code}, exit ${exit}`, () => {
    const error = explain(failure, { ...facts, ...difference });
    assert.is(error.code, code);
    assert.is(error.exit, exit);
    assert.match(`${error.message}\n${error.why ?? ''}`, says);
    if (fix === undefined) assert.is(error.fix, undefined);
    else assert.match(error.fix ?? '', fix);
    assert.is(error.cause, failure);
  });
}

test('a file that cannot be opened is explained without the words of the call', () => {
  const missing = Object.assign(new Error("ENOENT: no such file or directory, open '/x.tmp-1'"), { code: 'ENOENT' });
  assert.is(fileReason(missing), 'no such file or folder');
  assert.is(fileReason(Object.assign(new Error('EXDEV: cross-device link'), { code: 'EXDEV' })), 'EXDEV: cross-device link');
  assert.is(fileReason(new Error('short')), 'short');
});

test.run();
