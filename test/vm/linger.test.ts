/** What a logout ends, with and without linger. ben logs in and out; ana looks. */

import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, root, rootfs } from '../support/vm.ts';

const detach = (name: string, argv: string) => `rootless run -d --network none --name ${name} rootfs:${rootfs} ${argv}`;
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

live.run();
