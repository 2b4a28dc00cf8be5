/** Limits in docker's words, and where the kernel's tables say that cgroups are. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isUnified, ownCgroup } from '../../src/cgroup/delegate.ts';
import { isLimited, type Limits, neededControllers, type Resources, toResources } from '../../src/cgroup/limits.ts';
import { scopeCall } from '../../src/cgroup/systemd.ts';

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

test('the call to systemd counts its properties, and gives it our processes', () => {
  const call = scopeCall('rootless-7.scope', [9, 7]);
  const signature = call.indexOf('ssa(sv)a(sa(sv))');
  assert.equal(call.slice(signature + 1, signature + 4), ['rootless-7.scope', 'fail', '5']);
  assert.equal(call.slice(-6), ['PIDs', 'au', '2', '9', '7', '0']);
  assert.ok(call.join(' ').includes('Delegate b true'));
});

test.run();
