/** Units that a user's systemd really starts: by hand, at boot, and again after a failure. ben's systemd is started and stopped as a boot does it. */

import * as assert from 'uvu/assert';
import { live } from '../support/live.ts';
import { eventually } from '../support/eventually.ts';
import { good, inPlace, makeRootfs, type Ran, root, rootfs } from '../support/vm.ts';

const as = (script: string): Ran => inPlace('user:ben', script);
const units = '~/.config/systemd/user';

/** ben's systemd runs and lingers; at the end nothing of ben is left. */
async function withBen(body: () => Promise<void> | void): Promise<void> {
  makeRootfs();
  good(root('loginctl enable-linger ben; systemctl start user@1001.service'));
  try {
    await body();
  } finally {
    as(`rootless rm -a -f -t 0 2> /dev/null; rm -rf ${units}; systemctl --user daemon-reload`);
    root('loginctl disable-linger ben; systemctl stop user@1001.service; rm -rf /home/ben/.local/share/rootless/store/containers');
  }
}

/** Everything but ben's own systemd ends, as at a shutdown; what a boot then starts, starts. */
function reboot(): void {
  good(root('systemctl stop user@1001.service && ! pgrep -u ben && systemctl start user@1001.service'));
}

function isActive(unit: string): void {
  assert.is(as(`systemctl --user is-active ${unit}`).out.trim(), 'active', as(`systemctl --user status --no-pager ${unit}`).out);
}

live(
  'generate systemd --new: started by hand, at boot, after a failure, and stopped',
  [],
  () =>
    withBen(async () => {
      good(
        as(`rootless run -d --network none --name web rootfs:${rootfs} sleep 4101
        mkdir -p ${units} && cd ${units} && rootless generate systemd --new --files --name web && rootless rm -f -t 0 web
        systemctl --user daemon-reload && systemctl --user enable --now container-web.service`),
      );
      isActive('container-web.service');
      assert.match(good(as("rootless ps --format '{{.Names}} {{.Status}}'")), /^web Up/m);
      // The unit's main process is the monitor, and the container is below the unit.
      const shown = good(as('systemctl --user show -p MainPID -p ControlGroup --value container-web.service'));
      // In an order of systemd's own.
      const pid = /^\d+$/m.exec(shown)?.[0];
      const group = /^\/.*$/m.exec(shown)?.[0] ?? '';
      assert.match(good(root(`readlink /proc/${pid}/exe; cat /proc/${pid}/comm`)), /rootless|helper/);
      assert.match(group, /container-web\.service$/);
      assert.match(good(root("cat /proc/$(pgrep -x -f 'sleep 4101')/cgroup")), /container-web\.service/);

      reboot();
      await eventually(() => isActive('container-web.service'));

      good(root(`kill -9 $(pgrep -x -f 'sleep 4101')`));
      await eventually(() => {
        isActive('container-web.service');
        good(root("pgrep -x -f 'sleep 4101'"));
      });

      good(as('systemctl --user stop container-web.service'));
      assert.is(good(as('rootless ps -a -q')), '');
      assert.not(root("pgrep -x -f 'sleep 4101'").code === 0);
    }),
  { seconds: 120 },
);

live(
  'a .container file: installed, running, at boot, and removed',
  [],
  () =>
    withBen(async () => {
      good(
        as(`cat > site.container <<'END'
[Unit]
Description=A site
[Container]
Rootfs=${rootfs}
Exec=sleep 4102
Network=none
PodmanArgs=--memory 64m
[Service]
Restart=always
[Install]
WantedBy=default.target
END
        rootless quadlet install --now site.container`),
      );
      isActive('site.service');
      assert.match(good(as('rootless quadlet ls')), /site/);
      assert.is(good(as("cat /sys/fs/cgroup$(sed 's/^0:://' /proc/$(pgrep -x -f 'sleep 4102')/cgroup)/memory.max")), String(64 << 20));
      reboot();
      await eventually(() => isActive('site.service'));
      good(as('rootless quadlet rm site'));
      await eventually(() => assert.not(root("pgrep -x -f 'sleep 4102'").code === 0));
    }),
  { seconds: 120 },
);

live('a unit whose container cannot start fails at once, with the reason in the journal', [], () =>
  withBen(() => {
    good(
      as(`mkdir -p ${units}; printf '[Container]\\nRootfs=${rootfs}\\nExec=/no/such/program\\nNetwork=none\\n[Service]\\nRestart=no\\n' > broken.container
        rootless quadlet install broken.container`),
    );
    assert.is.not(as('systemctl --user start broken.service').code, 0);
    assert.match(root('journalctl --no-pager _UID=1001 -n 50').out, /rootless: .*\/no\/such\/program/);
  }),
);

live.run();
