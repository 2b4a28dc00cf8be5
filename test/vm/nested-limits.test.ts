/** Delegation goes on inside: rootless in a container of rootless divides what that one was given, and can give no more than it has. */

import * as assert from 'uvu/assert';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, type Ran, rootfs } from '../support/vm.ts';

/** /tmp of a container is its own. */
const surroundings = `--network none --security-opt seccomp=unconfined -v ${rootfs}:${rootfs}:ro -e HOME=/tmp/home -e PATH=/lab/bin:/usr/bin:/bin`;
const open = '--security-opt unmask=/sys/fs/cgroup';

/** A shell line in a container whose files are the guest's, whose cgroup mount can be written if that is asked for. */
function outer(flags: string, line: string, place = 'user'): Ran {
  makeRootfs();
  return inPlace(place, `rootless run --rm ${surroundings} ${flags} host: bash -c 'mkdir -p /tmp/home; ${line}'`);
}

const inner = (flags: string, argv: string) => `rootless run --rm --network none ${flags} rootfs:${rootfs} ${argv}`;
const MiB = 2 ** 20;

for (const place of ['user', 'session']) {
  live(`from a ${place === 'user' ? 'service' : 'login'}: the inner container has its own limit, the outer one keeps its own`, [], () => {
    const line = `cat /sys/fs/cgroup/memory.max; ${inner('-m 64m --pids-limit 40', 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max')}`;
    assert.equal(
      good(outer(`${open} -m 512m --cpus 1.5`, line, place))
        .split('\n')
        .slice(-3),
      [512 * MiB, 64 * MiB, 40].map(String),
    );
  });
}

live('the inner limit kills inside, and the outer container goes on', [], () => {
  const line = `${inner('-m 48m', 'tail /dev/zero')}; echo inner ended with $?`;
  assert.match(good(outer(`${open} -m 512m`, line)), /^inner ended with 137$/m);
});

live('a larger limit than the outer one is one in name only: the outer one kills', [], () => {
  const line = `${inner('-m 4g', 'tail /dev/zero')}; echo inner ended with $?`;
  const ran = outer(`${open} -m 256m --memory-swap 256m`, line);
  assert.match(ran.out, /inner ended with 137/, `exit ${ran.code}: ${ran.out}`);
});

live(
  'where the tree is read-only, limits inside are refused with the flag that the outer container lacks, and everything else runs',
  [],
  () => {
    const out = good(outer('-m 512m', `${inner('', 'echo runs')}; ${inner('-m 64m', 'true')}; echo refused with $?`));
    assert.match(out, /^runs$/m);
    assert.match(out, /no cgroup is delegated to you[\s\S]*fix: .*--security-opt unmask=\/sys\/fs\/cgroup/);
    assert.match(out, /^refused with 125$/m);
  },
);

live('a container without limits may divide its cgroup too, if it was opened by name', [], () => {
  assert.equal(
    good(outer(open, inner('-m 64m', 'cat /sys/fs/cgroup/memory.max')))
      .split('\n')
      .at(-1),
    String(64 * MiB),
  );
});

live.run();
