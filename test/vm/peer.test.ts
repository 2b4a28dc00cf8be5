/** podman in the same guest is the judge: the same flags must give the same numbers in the container's cgroup. */

import { cpSync, existsSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, rootfs } from '../support/vm.ts';

/** podman makes links in the root filesystem: it has to be ana's own. */
const own = '/tmp/lab-rootfs-ana';

function prepare(): void {
  makeRootfs();
  if (!existsSync(own)) cpSync(rootfs, own, { recursive: true, verbatimSymlinks: true });
}

const files = 'memory.max memory.swap.max memory.low cpu.max cpu.weight cpuset.cpus cpuset.mems pids.max';
const show = `sh -c 'cd /sys/fs/cgroup; for f in ${files}; do echo $f $(cat $f); done'`;

const flagLists = [
  '-m 64m',
  '-m 64m --memory-swap 80m',
  '-m 64m --memory-swap -1 --memory-reservation 32m',
  '--cpus 0.25 --pids-limit 33',
  // cpu.weight of --cpu-shares is not compared: crun changed the formula, and Debian's is from before (20 for 512, now 59).
  '--cpuset-cpus 1 --cpuset-mems 0',
  '--cpu-quota 20000 --cpu-period 50000 -m 100000k',
];

for (const flags of flagLists) {
  live(`${flags}: as podman does it`, [], () => {
    prepare();
    const ours = good(inPlace('user', `rootless run --rm --network none --pids-limit 2048 ${flags} rootfs:${own} ${show}`));
    const theirs = good(inPlace('user', `podman run --rm --network none --pids-limit 2048 ${flags} --rootfs ${own} ${show}`));
    assert.is(ours, theirs);
  });
}

live('too much memory: the same exit code', [], () => {
  prepare();
  const eat = 'tail /dev/zero';
  const ours = inPlace('user', `rootless run --rm --network none -m 32m --memory-swap 32m rootfs:${own} ${eat}`);
  const theirs = inPlace('user', `podman run --rm --network none -m 32m --memory-swap 32m --rootfs ${own} ${eat}`);
  assert.is(ours.code, 137, ours.out);
  assert.is(theirs.code, ours.code, theirs.out);
});

live.run();
