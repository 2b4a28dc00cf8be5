/** What a logout ends, with and without linger. ben logs in and out; ana looks. */

import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, root, rootfs } from '../support/vm.ts';

const detach = (name: string, argv: string, network = '--network none') =>
  `rootless run -d ${network} --name ${name} rootfs:${rootfs} ${argv}`;
const isRunning = (argv: string): boolean => root(`pgrep -x -f '${argv}' > /dev/null`).code === 0;

/** The user's systemd is listed too, as a session of the class manager. */
function loggedOut(): Promise<void> {
  return eventually(() => assert.not.match(root('loginctl list-sessions --no-legend | grep -v manager').out, / ben /));
}

live('without linger: -d says that the container will end, and it ends with the last session', [], async () => {
  makeRootfs();
  good(root('loginctl disable-linger ben'));
  const out = good(inPlace('session:ben', `${detach('short', 'sleep 4001')}; rootless ps --format '{{.Names}}'`));
  assert.match(out, /ends when you log out[\s\S]*enable-linger ben/);
  assert.match(out, /^short$/m);
  await eventually(() => assert.not(isRunning('sleep 4001')));
  good(root('systemctl stop user@1001.service; true'));
  assert.match(good(inPlace('session:ben', `rootless ps -a --format '{{.Names}} {{.Status}}'; rootless rm -f short`)), /^short Exited/m);
});

live('with linger: no warning, and it runs on after the last session', [], async () => {
  makeRootfs();
  good(root('loginctl enable-linger ben'));
  try {
    const out = good(inPlace('session:ben', detach('long', 'sleep 4002')));
    assert.not.match(out, /log out/);
    await loggedOut();
    // systemd gives a user without linger ten seconds after the last session.
    await pause(12_000);
    assert.ok(isRunning('sleep 4002'));
    assert.match(good(inPlace('session:ben', `rootless ps --format '{{.Names}} {{.Status}}'; rootless rm -f -t 0 long`)), /^long Up/m);
    await eventually(() => assert.not(isRunning('sleep 4002')));
  } finally {
    root('loginctl disable-linger ben');
  }
});

live('what serves its network begins before there is a scope, and is no part of the session either', [], async () => {
  makeRootfs();
  good(root('loginctl enable-linger ben'));
  try {
    // The second one's is begun while Node loads.
    for (const round of ['first', 'second']) {
      const id = good(inPlace('session:ben', detach(round, 'sleep 4003', '')))
        .split('\n')
        .at(-1);
      await loggedOut();
      const places = good(root(`for pid in $(pgrep -u ben '^pasta'); do cat /proc/$pid/cgroup; done`)).split('\n').filter(Boolean);
      assert.ok(places.length > 0 && places.every((place) => place.endsWith(`/rootless-${id}.scope/monitor`)), `${round}: ${places}`);
      good(inPlace('session:ben', `rootless rm -f -t 0 ${round}`));
    }
  } finally {
    root('loginctl disable-linger ben');
  }
});

live.run();
