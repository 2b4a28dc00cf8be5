/** What was asked for, as config.json says it. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canStack, parseMountPoints } from '../../src/runtime/host-root.ts';
import type { OciConfig } from '../../src/runtime/oci.ts';
import { type ContainerOptions, defaults, type Mapping } from '../../src/runtime/options.ts';
import type { ImageDefaults } from '../../src/runtime/process.ts';
import { buildSpec, pingGroups, type SpecFacts } from '../../src/runtime/spec.ts';
import { hasCode } from '../support/errors.ts';

const image: ImageDefaults = {
  entrypoint: [],
  cmd: ['sh'],
  env: [],
  user: '',
  workingDir: '',
  volumes: [],
  stopSignal: undefined,
  labels: {},
};
const line = (containerID: number, hostID: number, size: number) => ({ containerID, hostID, size });
const ranges: Mapping = {
  mode: 'ranges',
  idMap: {
    uid: [line(0, 1000, 1), line(1, 100000, 65536)],
    gid: [line(0, 1000, 1), line(1, 100000, 65536)],
    newuidmap: '/n/u',
    newgidmap: '/n/g',
  },
};
const facts: SpecFacts = {
  id: 'abcdef0123456789'.repeat(4),
  image,
  mapping: ranges,
  root: { path: '/r', annotation: { name: 'io.rootless.overlay', value: '{}' } },
  files: [{ source: '/c/hosts', target: '/etc/hosts' }],
  volumes: {},
  seccomp: undefined,
  network: {},
  cgroup: undefined,
};

const spec = (options: Partial<ContainerOptions> = {}, more: Partial<SpecFacts> = {}): OciConfig =>
  buildSpec({ ...defaults, image: 'i', ...options }, { ...facts, ...more });
const mountAt = (config: OciConfig, path: string) => config.mounts.filter((mount) => mount.destination === path);
const kinds = (config: OciConfig) => config.linux.namespaces.map((namespace) => namespace.type);
test('every namespace is new, but for the network of the host', () => {
  assert.equal(kinds(spec()), ['user', 'mount', 'pid', 'ipc', 'uts', 'cgroup', 'network']);
  assert.equal(kinds(spec({ network: 'none' })), kinds(spec()));
  assert.not.ok(kinds(spec({ network: 'host' })).includes('network'));
});

test('the map and the programs that write it are handed over', () => {
  const config = spec();
  assert.equal(config.linux.uidMappings, ranges.idMap.uid);
  assert.is(config.annotations['io.rootless.newuidmap'], '/n/u');
  assert.is(config.annotations['io.rootless.single-id'], undefined);
  const single = spec({}, { mapping: { mode: 'single', idMap: { uid: [line(0, 5, 1)], gid: [line(0, 5, 1)] } } });
  assert.is(single.annotations['io.rootless.single-id'], 'true');
  assert.is(single.annotations['io.rootless.newuidmap'], undefined);
});

test("the user is the flag's, the image's, or root", () => {
  assert.is(spec().annotations['io.rootless.user'], '0');
  assert.is(spec({}, { image: { ...image, user: 'www:www' } }).annotations['io.rootless.user'], 'www:www');
  assert.is(spec({ user: '7' }, { image: { ...image, user: 'www' } }).annotations['io.rootless.user'], '7');
});

test('the host name is the first twelve digits of the id unless one is given', () => {
  assert.is(spec().hostname, 'abcdef012345');
  assert.is('domainname' in spec(), false);
  assert.is(spec({ domainname: 'lan' }).domainname, 'lan');
  assert.ok(spec({ hostname: 'web' }).process.env.includes('HOSTNAME=web'));
});

test('/sys is mounted for an own network, and shown as it is with the one of the host', () => {
  assert.is(mountAt(spec(), '/sys')[0]?.type, 'sysfs');
  assert.is(mountAt(spec({ network: 'host' }), '/sys')[0]?.source, '/sys');
});

test('/dev/pts belongs to the group tty only where that group is mapped', () => {
  assert.ok(mountAt(spec(), '/dev/pts')[0]?.options.includes('gid=5'));
  const single: Mapping = { mode: 'single', idMap: { uid: [line(0, 5, 1)], gid: [line(0, 5, 1)] } };
  assert.not.ok(mountAt(spec({}, { mapping: single }), '/dev/pts')[0]?.options.includes('gid=5'));
});

test('a mount comes after the one that it lies in, and /dev/shm has its size', () => {
  const config = spec(
    {
      shmSize: 4096,
      mounts: [
        { kind: 'bind', source: '/h/deep', target: '/a/b/c', readOnly: true, options: [], createSource: false },
        { kind: 'tmpfs', target: '/a', options: ['size=1m'] },
        { kind: 'volume', target: '/a/b', readOnly: false },
      ],
    },
    { volumes: { '/a/b': { kind: 'path', source: '/v/1' } } },
  );
  const order = config.mounts.map((mount) => mount.destination).filter((path) => path.startsWith('/a'));
  assert.equal(order, ['/a', '/a/b', '/a/b/c']);
  assert.ok(mountAt(config, '/dev/shm')[0]?.options.includes('size=4096'));
  assert.equal(mountAt(config, '/a/b/c')[0]?.options, ['rbind', 'ro', 'rprivate']);
  assert.is(mountAt(config, '/a/b')[0]?.source, '/v/1');
});

test('a tmpfs is noexec, nosuid and nodev unless the opposite is said', () => {
  const options = (list: readonly string[]) =>
    mountAt(spec({ mounts: [{ kind: 'tmpfs', target: '/t', options: list }] }), '/t')[0]?.options;
  assert.equal(options([]), ['noexec', 'nosuid', 'nodev']);
  assert.equal(options(['exec', 'size=1m']), ['nosuid', 'nodev', 'exec', 'size=1m']);
});

test('a bind keeps the propagation that was asked for, and binds flatly when told', () => {
  const bind = (list: readonly string[]) =>
    mountAt(spec({ mounts: [{ kind: 'bind', source: '/s', target: '/t', readOnly: false, options: list, createSource: false }] }), '/t')[0]
      ?.options;
  assert.equal(bind([]), ['rbind', 'rw', 'rprivate']);
  assert.equal(bind(['rslave', 'noexec']), ['rbind', 'rw', 'rslave', 'noexec']);
  assert.equal(bind(['bind-nonrecursive']), ['bind', 'rw', 'rprivate']);
});

test('what the user mounts replaces what rootless would mount there', () => {
  const config = spec({
    mounts: [
      { kind: 'bind', source: '/my/hosts', target: '/etc/hosts', readOnly: false, options: [], createSource: false },
      { kind: 'tmpfs', target: '/dev/shm/', options: [] },
    ],
  });
  assert.equal(
    mountAt(config, '/etc/hosts').map((mount) => mount.source),
    ['/my/hosts'],
  );
  assert.is(mountAt(config, '/dev/shm').length, 1);
});

test('two mounts on one path are refused, also when one has a slash at the end', () => {
  const mounts = [
    { kind: 'tmpfs', target: '/t', options: [] },
    { kind: 'tmpfs', target: '/t/', options: [] },
  ] as const;
  assert.throws(() => spec({ mounts }), hasCode('MOUNT_TWICE'));
});

test('devices of the host are bound, after everything else', () => {
  const config = spec({ devices: [{ source: '/dev/fuse', target: '/dev/fuse', permissions: 'rwm' }] });
  assert.is(config.mounts.at(-1)?.source, '/dev/fuse');
});

test('--privileged shows all of /proc and /sys', () => {
  const config = spec({ privileged: true });
  assert.equal([config.linux.maskedPaths, config.linux.readonlyPaths], [[], []]);
  assert.ok(mountAt(config, '/sys')[0]?.options.includes('rw'));
  assert.ok(spec().linux.maskedPaths.includes('/proc/kcore'));
  assert.ok(spec().linux.readonlyPaths.includes('/proc/sys'));
});

test('limits come with a cgroup of the container, seen read-only', () => {
  const cgroup = { path: '/user/x', resources: { pids: { limit: 5 } }, writable: false, apart: false };
  const config = spec({}, { cgroup });
  assert.is(config.linux.cgroupsPath, '/user/x');
  assert.equal(config.linux.resources, { pids: { limit: 5 } });
  assert.ok(mountAt(config, '/sys/fs/cgroup')[0]?.options.includes('ro'));
  assert.is(spec().linux.resources, undefined);
});

const sysctls: readonly (readonly [string, ContainerOptions['network'], boolean])[] = [
  ['net.ipv4.ip_forward', 'none', true],
  ['net.ipv4.ip_forward', 'host', false],
  ['kernel.shmmax', 'host', true],
  ['kernel.msgmni', 'none', true],
  ['fs.mqueue.msg_max', 'none', true],
  ['kernel.panic', 'none', false],
  ['vm.swappiness', 'none', false],
  ['kernel.shmmax.x', 'none', false],
];

for (const [name, network, allowed] of sysctls) {
  test(`sysctl ${name} with the network ${network} is ${allowed ? 'set' : 'refused'}`, () => {
    const make = () => spec({ network, sysctls: { [name]: '1' } });
    if (allowed) assert.is(make().linux.sysctl[name], '1');
    else assert.throws(make, hasCode('SYSCTL_NOT_NAMESPACED'));
  });
}

test('a sysctl that was asked for wins over ours', () => {
  assert.is(spec().linux.sysctl['net.ipv4.ip_unprivileged_port_start'], '0');
  assert.is(spec({ sysctls: { 'net.ipv4.ip_unprivileged_port_start': '81' } }).linux.sysctl['net.ipv4.ip_unprivileged_port_start'], '81');
  assert.equal(spec({ network: 'host' }).linux.sysctl, {});
});

test('every mapped group may ping, as far as one range of the host can say it', () => {
  assert.is(pingGroups([line(0, 1000, 1), line(1, 100000, 65536)]), '0 65536');
  assert.is(pingGroups([line(0, 1000, 1)]), '0 0');
  assert.is(pingGroups([line(0, 900000, 1), line(1, 100000, 65536)]), '0 0');
  assert.is(pingGroups([line(33, 1000, 1)]), undefined);
});

test('a folder of the host can be below an overlay if nothing is mounted in it and its filesystem can', () => {
  const points = parseMountPoints(
    [
      '1 0 8:1 / / rw - ext4 a rw',
      '2 1 8:2 / /home rw - xfs b rw',
      '3 1 0:3 / /var/lib/x rw - tmpfs c rw',
      '4 1 0:4 / /net\\040share rw - nfs4 d rw',
    ].join('\n'),
  );
  assert.is(canStack('/usr', points), true);
  assert.is(canStack('/home', points), true);
  assert.is(canStack('/var', points), false);
  assert.is(canStack('/net share', points), false);
});

test.run();
