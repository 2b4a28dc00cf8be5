/** Where a user's processes are: in a service, or nowhere at all. What a login gives is in cgroups.test.ts. */

import * as assert from 'uvu/assert';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, root, rootfs } from '../support/vm.ts';

const limited = `rootless run --rm --network none -m 64m --pids-limit 50 rootfs:${rootfs} cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max`;
const values = `${64 << 20}\n50`;

live('a service of the user with a delegated group', [], () => {
  makeRootfs();
  assert.is(good(inPlace('user', limited)), values);
});

live('no session at all: limits are refused with what would give them, and without limits it runs', [], () => {
  makeRootfs();
  good(root('loginctl disable-linger ben; loginctl terminate-user ben; systemctl stop user@1001.service; true'));
  const refused = inPlace('bare:ben', limited);
  assert.is(refused.code, 125);
  assert.match(refused.out, /no cgroup is delegated to you[\s\S]*fix: .*enable-linger/);
  assert.is(good(inPlace('bare:ben', `rootless run --rm --network none rootfs:${rootfs} echo runs`)), 'runs');
});

live.run();
