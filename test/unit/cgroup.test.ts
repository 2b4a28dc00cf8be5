/** Limits in docker's words, and where the kernel's tables say that cgroups are. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isUnified, ownCgroup } from '../../src/cgroup/tree.ts';
import { isLimited, type Limits, neededControllers, type Resources, toResources } from '../../src/cgroup/limits.ts';
import { deviceNumber, split } from '../../src/cgroup/devices.ts';
import { noManager, notDelegated } from '../../src/cgroup/refusals.ts';
import { RootlessError } from '../../src/errors.ts';

const MiB = 1024 * 1024;

const limits: readonly (readonly [Limits, Resources, readonly string[]])[] = [
  [{}, {}, []],
  [{ memory: undefined, cpus: undefined, pids: undefined }, {}, []],
  [{ memory: 100 * MiB }, { memory: { limit: 100 * MiB, swap: 200 * MiB } }, ['memory']],
  [{ memory: 100 * MiB, memorySwap: 100 * MiB }, { memory: { limit: 100 * MiB, swap: 100 * MiB } }, ['memory']],
  [{ memory: 100 * MiB, memorySwap: -1 }, { memory: { limit: 100 * MiB, swap: -1 } }, ['memory']],
  [{ cpus: 1.5 }, { cpu: { quota: 150_000, period: 100_000 } }, ['cpu']],
  [{ cpus: 0.001 }, { cpu: { quota: 1000, period: 100_000 } }, ['cpu']],
  [{ pids: 20 }, { pids: { limit: 20 } }, ['pids']],
  [
    { memory: MiB, cpus: 2, pids: 5 },
    { memory: { limit: MiB, swap: 2 * MiB }, cpu: { quota: 200_000, period: 100_000 }, pids: { limit: 5 } },
    ['memory', 'cpu', 'pids'],
  ],
];

for (const [asked, resources, controllers] of limits) {
  test(`limits ${JSON.stringify(asked)} become resources`, () => {
    assert.equal(toResources(asked), resources);
    assert.equal(neededControllers(asked), controllers);
    assert.is(isLimited(asked), controllers.length > 0);
  });
}

test('the own cgroup is the line of the v2 hierarchy', () => {
  assert.is(ownCgroup('0::/user.slice/user-1000.slice/session-2.scope\n'), '/user.slice/user-1000.slice/session-2.scope');
  assert.is(ownCgroup('9:name=systemd:/\n4:memory:/a\n0::/\n'), '/');
  assert.is(ownCgroup('4:memory:/a\n'), undefined);
});

test('a hybrid machine is not a cgroup v2 machine', () => {
  const v2 = '31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate';
  const hybrid = [
    '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
    '32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
  ].join('\n');
  assert.ok(isUnified(`1 0 8:1 / / rw - ext4 x rw\n${v2}\n`));
  assert.ok(isUnified('31 23 0:28 / /sys/fs/cgroup rw shared:4 master:7 - cgroup2 cgroup2 rw'));
  assert.not.ok(isUnified(hybrid));
  assert.not.ok(isUnified(''));
});

test('limits of disks are for numbers, and need their controller', () => {
  const asked: Limits = {
    ioWeight: 500,
    ioWeightDevices: [{ path: '/dev/sda', value: 10 }],
    readBps: [{ path: '/dev/sdb', value: 1024 }],
    writeIops: [{ path: '/dev/sda', value: 0 }],
  };
  const numberOf = (path: string) => ({ major: 8, minor: path === '/dev/sda' ? 0 : 16 });
  assert.equal(toResources(asked, numberOf), {
    blockIO: {
      weight: 500,
      weightDevice: [{ major: 8, minor: 0, weight: 10 }],
      throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 1024 }],
      throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 0 }],
    },
  });
  assert.equal(neededControllers(asked), ['io']);
});

test('files of the cgroup need the controller that they are named after, once', () => {
  assert.equal(neededControllers({ memory: MiB, unified: { 'memory.high': '1', 'hugetlb.2MB.max': '0' } }), ['memory', 'hugetlb']);
  assert.equal(toResources({ unified: { 'memory.high': '1' } }), { unified: { 'memory.high': '1' } });
  assert.ok(isLimited({ unified: { 'memory.high': '1' } }));
});

test('a number of a device has a large part and a small one', () => {
  assert.equal(split(0x0801), { major: 8, minor: 1 });
  assert.equal(split(0x12310345), { major: 0x103, minor: 0x12345 });
});

test('only a disk can be limited', () => {
  for (const path of ['/dev/null', '/dev/no-such-disk', '/']) {
    assert.throws(
      () => deviceNumber(path),
      (error: unknown) => error instanceof RootlessError && error.code === 'LIMIT_DEVICE_UNUSABLE',
    );
  }
});

test('what systemd can hand on is mended by its drop-in, what it cannot by hand, and what the kernel lacks by nothing', () => {
  const kernel = ['cpu', 'memory', 'hugetlb'];
  assert.match(notDelegated(['cpu'], kernel).fix ?? '', /Delegate=cpu cpuset io memory pids/);
  assert.match(notDelegated(['hugetlb'], kernel).fix ?? '', /echo \+hugetlb \| sudo tee/);
  assert.not.match(notDelegated(['hugetlb'], kernel).fix ?? '', /Delegate=/);
  const none = notDelegated(['rdma'], kernel);
  assert.match(none.message, /rdma: this kernel has no such controller/);
  assert.is(none.fix, undefined);
});

test('inside a container it is the engine around that has to give a cgroup', () => {
  assert.match(noManager('no bus').fix ?? '', /enable-linger/);
  const { fix = '' } = noManager('no bus', 'podman');
  assert.match(fix, /\(podman\).*unmask=\/sys\/fs\/cgroup/);
  assert.not.match(fix, /linger/);
});

test.run();
