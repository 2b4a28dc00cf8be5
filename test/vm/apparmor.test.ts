/**
 * A cold boot with AppArmor on. Debian's kernel has no kernel.apparmor_restrict_unprivileged_userns (that is Ubuntu's patch), but it asks a profile before a namespace is made: a
 * profile without `userns,` is what stands in the way here, and the profile that the doctor prints is what takes it away.
 */

import * as assert from 'uvu/assert';
import type { Result } from '../../src/doctor/finding.ts';
import { apparmorProfile } from '../../src/runtime/explain-userns.ts';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, root, rootfs } from '../support/vm.ts';

const helper = '/lab/dist/rootless-helper';
const run = `rootless run --rm --network none rootfs:${rootfs} echo runs`;
const forbidding = `abi <abi/4.0>,
include <tunables/global>
profile rootless-helper ${helper} flags=(attach_disconnected) {
  /** mrwlkix,
  capability,
  network,
  mount,
  remount,
  umount,
  pivot_root,
  ptrace,
  signal,
  unix,
  dbus,
}`;

live('with AppArmor on and no profile, everything works and the doctor says so', [], () => {
  makeRootfs();
  assert.match(good(root('cat /sys/kernel/security/lsm')), /apparmor/);
  assert.is(good(inPlace('session', run)), 'runs');
  const [finding] = JSON.parse(inPlace('session', 'rootless doctor --json apparmor').out) as Result[];
  assert.is(finding?.status, 'ok', finding?.message);
});

live('a profile that forbids namespaces is named as the cause, and the printed profile mends it', [], () => {
  makeRootfs();
  good(root(`printf '%s\\n' '${forbidding}' > /etc/apparmor.d/rootless-helper && apparmor_parser -r /etc/apparmor.d/rootless-helper`));
  const refused = inPlace('session', run);
  assert.is(refused.code, 125, refused.out);
  assert.match(refused.out, /AppArmor/);
  assert.match(refused.out, /apparmor_parser -r/);
  const [found] = JSON.parse(inPlace('session', 'rootless doctor --json userns').out) as Result[];
  assert.is(found?.status, 'bad');
  assert.match(found?.why ?? '', /AppArmor/);
  inPlace('session', 'rootless doctor --fix userns > /tmp/mend.sh');
  good(root('sh -e /tmp/mend.sh'));
  assert.is(good(inPlace('session', run)), 'runs');
});

live('the printed profile is one that the parser takes, and it names the helper', [], () => {
  good(root(apparmorProfile(helper).join('\n')));
  assert.match(good(root('cat /sys/kernel/security/apparmor/profiles')), /rootless-helper \(unconfined\)/);
});

live.run();
