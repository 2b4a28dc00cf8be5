/** Where a user's processes are: a login session, a service, or nowhere of their own. Limits have to be there in each. */

import * as assert from 'uvu/assert';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, root, rootfs } from '../support/vm.ts';

const limited = `rootless run --rm --network none -m 64m --pids-limit 50 rootfs:${rootfs} cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max`;
const values = `${64 << 20}\n50`;

live('a login session, whose scope cannot be divided, gets a scope from systemd', [], () => {
  makeRootfs();
  assert.match(good(inPlace('session', 'cat /proc/self/cgroup')), /session-\w+\.scope/);
  assert.is(good(inPlace('session', limited)), values);
});

live('only the socket of the bus is there, no variable names it', [], () => {
  makeRootfs();
  const script = `env | grep -E 'XDG|DBUS'; ${limited}`;
  assert.is(good(inPlace('bare', script)), values);
});

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
