/** Controllers that systemd does not hand on: what is refused, what the doctor finds, and whether its commands mend it. */

import * as assert from 'uvu/assert';
import type { Result } from '../../src/doctor/finding.ts';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, root, rootfs } from '../support/vm.ts';

/** ben alone gets less; ana's drop-in stays. */
const dropIn = '/etc/systemd/system/user@1001.service.d';
const run = (flags: string, argv: string) => `rootless run --rm --network none ${flags} rootfs:${rootfs} ${argv}`;

live('memory and pids alone: --cpus is refused with the drop-in, -m works, and the doctor finds and mends it', [], () => {
  makeRootfs();
  good(
    root(`loginctl enable-linger ben; systemctl stop user@1001.service
    mkdir -p ${dropIn} && printf '[Service]\\nDelegate=no\\nDelegate=memory pids\\n' > ${dropIn}/zz-less.conf && systemctl daemon-reload && systemctl start user@1001.service`),
  );
  try {
    const refused = inPlace('session:ben', run('--cpus 0.5', 'true'));
    assert.is(refused.code, 125);
    assert.match(refused.out, /cpu[\s\S]*not delegated[\s\S]*fix: .*Delegate=cpu cpuset io memory pids/);
    assert.is(good(inPlace('session:ben', run('-m 64m', 'cat /sys/fs/cgroup/memory.max'))), String(64 << 20));
    const found = inPlace('session:ben', 'rootless doctor --json delegation');
    const [finding] = JSON.parse(found.out) as Result[];
    assert.is(finding?.status, 'warn', found.out);
    assert.match(finding?.message ?? '', /cpu, cpuset, io are not delegated \(memory pids are\)/);
    good(root(`rm ${dropIn}/zz-less.conf /etc/systemd/system/user@.service.d/delegate.conf`));
    good(inPlace('session:ben', 'rootless doctor --fix delegation > /tmp/mend.sh; true'));
    good(root('sh -e /tmp/mend.sh'));
    assert.match(good(inPlace('session:ben', run('--cpus 0.5 --cpuset-cpus 0', 'cat /sys/fs/cgroup/cpu.max'))), /^50000 100000/);
  } finally {
    root(`rm -rf ${dropIn} /tmp/mend.sh; systemctl daemon-reload; loginctl disable-linger ben; systemctl stop user@1001.service`);
  }
});

live.run();
