/** What a caller may be like: with any umask, without a home, with streams that are closed, with signals of its own. */

import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bin } from '../support/checkout.ts';
import { environment, finished, start } from '../support/cli.ts';
import { ok, said } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const none = ['--network', 'none'];

/** A line of a shell; $0 is the program, $1 an image. */
function shell(line: string, env: NodeJS.ProcessEnv = {}) {
  const run = spawnSync('sh', ['-c', line, bin, busyboxImage()], { env: { ...environment, ...env }, encoding: 'utf8' });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

for (const mask of ['077', '027', '000'])
  live(`with umask ${mask} a container's folders are for all of its users`, needs, () => {
    const inside = 'umask; stat -c "%a %n" / /etc/hosts /new/dir /deep/er; cat /etc/hosts > /dev/null && ls / > /dev/null && echo seen';
    const flags = `--rm --network none -u 65534:65534 -w /new/dir --tmpfs /deep/er:mode=755`;
    const { stdout, stderr } = shell(`umask ${mask}; "$0" run ${flags} "$1" sh -c '${inside}'`);
    assert.is(stdout, '0022\n755 /\n644 /etc/hosts\n755 /new/dir\n755 /deep/er\nseen\n', stderr);
  });

live('with umask 077 volumes and exec are for all users too, and so is a root that is not the caller', needs, () => {
  const { stdout, stderr } = shell(`umask 077
    "$0" run -d --name masked --network none -v masked:/data "$1" sleep 300 > /dev/null
    "$0" exec -u 65534:65534 masked sh -c 'ls /data && umask'
    "$0" rm -f -t 0 masked > /dev/null; "$0" volume rm masked > /dev/null`);
  assert.is(stdout, '0022\n', stderr);
});

live('what is written for the caller has the umask of the caller', needs, () =>
  withTmp((folder) => {
    const { stderr, stdout } = shell(`umask 077; cd "${folder}"
      "$0" run --rm --network none --cidfile cid -v "$PWD/made/for:/x" "$1" true
      "$0" run --name kept --network none "$1" true; "$0" commit --iidfile iid kept kept-image > /dev/null; "$0" rm kept > /dev/null
      "$0" save -o docker.tar kept-image; "$0" save --format oci-dir -o layout kept-image; "$0" rmi kept-image > /dev/null
      "$0" unshare sh -c umask`);
    const mode = (name: string) => (statSync(join(folder, name)).mode & 0o777).toString(8);
    const found = ['cid', 'iid', 'docker.tar', 'made', 'made/for', 'layout', 'layout/index.json'].map(mode);
    assert.equal(found, ['600', '600', '600', '700', '700', '700', '600'], stderr);
    assert.is(stdout, '0077\n');
  }),
);

live('with --sig-proxy=false a signal ends the caller, and the program goes on', needs, async () => {
  const script = 'trap "echo heard" INT TERM; echo ready; while :; do sleep 0.1; done';
  const child = start(['run', '--sig-proxy=false', '--name', 'deaf', ...none, busyboxImage(), 'sh', '-c', script]);
  const ended = finished(child);
  await said('deaf');
  child.kill('SIGUSR2');
  child.kill('SIGTERM');
  const { code, signal } = await ended;
  assert.is(signal ?? code, code);
  assert.ok(code === 143 || code === 140, `${code}`);
  assert.is((await ok(['inspect', '--format', '{{.State.Status}}', 'deaf'])).trim(), 'running');
  assert.is(await ok(['logs', 'deaf']), 'ready\n');
  await ok(['stop', '-t', '0', 'deaf']);
  const again = start(['start', '-a', '--sig-proxy=false', 'deaf']);
  const over = finished(again);
  await eventually(async () => assert.is((await ok(['logs', 'deaf'])).split('ready').length, 3));
  again.kill('SIGINT');
  assert.is((await over).code, 130);
  assert.is((await ok(['inspect', '--format', '{{.State.Status}}', 'deaf'])).trim(), 'running');
  await ok(['rm', '-f', '-t', '0', 'deaf']);
});

live('any of the three streams may be closed', needs, () => {
  const run = (rest: string) => shell(`"$0" run --rm --network none ${rest}`);
  assert.is(run('-i "$1" sh -c "cat; echo end" <&-').stdout, 'end\n');
  assert.is(run('"$1" sh -c "echo out; echo err >&2" >&- 2> /dev/null').code, 0);
  assert.is(run('"$1" sh -c "echo out; echo err >&2" 2>&-').stdout, 'out\n');
  assert.is(run('-i "$1" sh -c "exit 7" <&- >&- 2>&-').code, 7);
});

live('without a home, a runtime folder or a locale it runs; a place where nothing can be made is named, and at once', needs, () =>
  withTmp((folder) => {
    const hello = '"$0" run --rm --network none "$1" echo hello';
    assert.is(shell(hello, { HOME: undefined }).stdout, 'hello\n');
    assert.is(shell(hello, { XDG_RUNTIME_DIR: undefined }).stdout, 'hello\n');
    assert.is(shell(hello, { XDG_RUNTIME_DIR: '/etc' }).stdout, 'hello\n');
    assert.is(shell(`${hello} ä`, { LC_ALL: 'C', COLUMNS: '40' }).stdout, 'hello ä\n');
    // Node's own way of making folders never ends there.
    const nowhere = shell(`timeout 60 ${hello}`, { ROOTLESS_DATA: '/proc/nothing/here' });
    assert.is(nowhere.code, 125, nowhere.stderr);
    assert.match(nowhere.stderr, /ROOTLESS_DATA/);
    assert.is(existsSync(join(folder, 'store')), false);
  }),
);

live.run();
