/** The doctor on this machine, and on the same machine with one thing really broken, in namespaces of a test's own. */

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Result } from '../../src/doctor/finding.ts';
import { bin } from '../support/checkout.ts';
import { environment, rootless } from '../support/cli.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns'] as const;

/** Runs `SHELL; doctor --json CHECK` with `doctor` as this program, inside what `unshare` was told to make. */
function broken(check: string, unshare: readonly string[], shell: string, env: NodeJS.ProcessEnv = {}): Result {
  const doctor = `"${process.execPath}" -- "${bin}" doctor --json ${check}`;
  const script = shell.includes('DOCTOR') ? shell.replace('DOCTOR', doctor) : `${shell}\n${doctor}`;
  const run = spawnSync('unshare', [...unshare, 'sh', '-c', script], {
    env: { ...environment, ...env },
    encoding: 'utf8',
  });
  assert.match(run.stdout, /^\[/, `${run.stdout}${run.stderr}`);
  const [result] = JSON.parse(run.stdout) as Result[];
  assert.is(run.status, result?.status === 'bad' ? 1 : 0);
  return result as Result;
}

const own = ['-U', '-r', '-m'] as const;

live('it finishes its round, and says how each thing stands', needs, async () => {
  const { stdout, stderr } = await rootless(['doctor', '--json']);
  const results = JSON.parse(stdout) as Result[];
  assert.ok(results.length > 20, stderr);
  const tried = results.filter(({ id }) => ['userns', 'overlay', 'store', 'disk'].includes(id));
  for (const { id, status, message } of tried) assert.is(status, 'ok', `${id}: ${message}`);
});

live('people get sections, and what is wrong with its cause and commands', needs, async () => {
  const { stdout } = await rootless(['doctor'], { env: { HTTP_PROXY: undefined, http_proxy: 'nonsense' } });
  assert.match(stdout, /^Around us\n/);
  assert.match(stdout, /\n {2}NO {2}proxy .*"nonsense" is no http:\/\/ address\n {6}fix: /);
  assert.not.match(stdout, /\x1b/);
});

live('a script for root is printed, never run', needs, async () => {
  const { stdout } = await rootless(['doctor', '--fix']);
  assert.match(stdout, /^#!\/bin\/sh\n/);
});

live('an unknown check is refused with the known ones', needs, async () => {
  const { code, stderr } = await rootless(['doctor', 'nonsense']);
  assert.is(code, 125);
  assert.match(stderr, /no check "nonsense"[\s\S]*newuidmap/);
});

live('no user namespace left: the sysctl is named', needs, () => {
  const { status, why, fix } = broken('userns', ['-U', '-r'], 'echo 0 > /proc/sys/user/max_user_namespaces');
  assert.is(status, 'bad');
  assert.match(why ?? '', /user\.max_user_namespaces is 0/);
  assert.match((fix ?? []).join('\n'), /sysctl -w user\.max_user_namespaces/);
});

live('set-uid programs without effect: no_new_privs is named', needs, () => {
  const { status, why } = broken('newuidmap', ['-U', '-c'], 'exec setpriv --no-new-privs DOCTOR');
  assert.is(status, 'bad');
  assert.match(why ?? '', /no_new_privs/);
});

live('a newuidmap without its bit is named', needs, () =>
  withTmp((folder) => {
    const copy = join(folder, 'newuidmap');
    const shell = `cp /usr/bin/newuidmap ${copy} && chmod 755 ${copy} && mount --bind ${copy} /usr/bin/newuidmap && exec unshare -U --map-user=1000 --map-group=1000 DOCTOR`;
    const { status, message } = broken('newuidmap', own, shell);
    assert.is(status, 'bad');
    assert.match(message, /"\/usr\/bin\/newuidmap" has no privilege/);
  }),
);

live('covered parts of /proc: the outer container is asked for them', needs, () => {
  const { status, why, advice } = broken('proc', [...own, '-p', '-f', '--mount-proc'], 'mount --bind /dev/null /proc/keys');
  assert.is(status, 'warn');
  assert.match(why ?? '', /cover parts of the \/proc/);
  assert.match(advice ?? '', /systempaths=unconfined/);
});

live('hidepid is found', needs, () => {
  const { status, message } = broken('hidepid', [...own, '-p', '-f'], 'mount -t proc -o hidepid=2 proc /proc');
  assert.is(status, 'warn');
  assert.match(message, /hidepid/);
});

live('no tun device: the module is named', needs, () => {
  const { status, fix } = broken('tun', own, 'mount -t tmpfs none /dev/net');
  assert.is(status, 'bad');
  assert.match((fix ?? []).join('\n'), /modprobe tun/);
});

live('a pasta that does not work is found by trying', [...needs, 'pasta', 'tun'], () => {
  const { status, message } = broken('pasta', own, 'mount --bind /bin/false "$(readlink -f "$(command -v pasta)")"');
  assert.is(status, 'bad');
  assert.match(message, /pasta does not work/);
});

live('ping that is not for this group is found', needs, () => {
  const { status, message } = broken('ping', ['-U', '-r', '-n'], 'exec unshare -U --map-user=1000 --map-group=1000 DOCTOR');
  assert.is(status, 'warn');
  assert.match(message, /ping/);
});

live('no resolver is found', needs, () => {
  assert.is(broken('dns', own, 'mount --bind /dev/null "$(readlink -f /etc/resolv.conf)"').status, 'warn');
});

live('a store where nothing can be executed, or with no room, is found', needs, () =>
  withTmp((folder) => {
    const data = join(folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    const mounted = (options: string) => `mount -t tmpfs -o ${options} none ${data}`;
    assert.match(broken('store', own, mounted('noexec'), { ROOTLESS_DATA: data }).message, /noexec/);
    assert.match(broken('disk', own, mounted('size=1m'), { ROOTLESS_DATA: data }).message, /0\.0 GiB free/);
  }),
);

live('few open files are found', needs, () => {
  const { status, message } = broken('files', ['-U', '-c'], 'ulimit -n 512');
  assert.is(status, 'warn');
  assert.match(message, /up to 512/);
});

live('a runtime folder that is gone is found', needs, () => {
  assert.match(broken('runtime-dir', ['-U', '-c'], ':', { XDG_RUNTIME_DIR: '/dev/null/run' }).message, /does not exist/);
});

live.run();
