/** `run -d`: the container goes on without the command line, which holds nothing of it and of which nothing stays. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bin } from '../support/checkout.ts';
import { environment, finished, rootless, start } from '../support/cli.ts';
import { detached, ok, terminal } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const none = ['--network', 'none'];
const sleeper = ['sleep', '300'];

live('the id is printed when the program runs, and a pipe around it ends at once', needs, () =>
  withTmp(async () => {
    const line = `id=$("$0" run -d ${none.join(' ')} "$1" sleep 300 | cat); "$0" exec "$id" echo inside; "$0" rm -f "$id"`;
    const run = spawnSync('sh', ['-c', line, bin, busyboxImage()], { env: environment, encoding: 'utf8' });
    assert.is(run.status, 0, run.stderr);
    assert.match(run.stdout, /^inside\n[0-9a-f]{64}\n$/);
  }),
);

live('it outlives the process group and the terminal that started it', [...needs, 'python'], async () => {
  const shell = terminal(['run', '-d', '--name', 'alone', ...none, busyboxImage(), ...sleeper]);
  assert.is(await shell.ended, 0);
  assert.is((await ok(['inspect', '--format', '{{.State.Status}}', 'alone'])).trim(), 'running');
  await ok(['rm', '-f', 'alone']);
});

live('detach keys leave a container that runs on', [...needs, 'python'], async () => {
  const shell = terminal(['run', '-it', '--name', 'left', ...none, busyboxImage(), 'sh']);
  shell.type('echo be""gun\n');
  await shell.shows(/begun/);
  shell.type('\u0010\u0011');
  assert.is(await shell.ended, 0);
  assert.is((await ok(['inspect', '--format', '{{.State.Status}}', 'left'])).trim(), 'running');
  await ok(['rm', '-f', '-t', '0', 'left']);
});

live('a foreground container goes with its command line', needs, async () => {
  const child = start(['run', '--name', 'bound', ...none, busyboxImage(), ...sleeper]);
  await eventually(async () => assert.is((await ok(['ps', '-q', '--filter', 'name=bound'])).length, 13));
  const ended = finished(child);
  child.kill('SIGKILL');
  await ended;
  await eventually(async () => assert.match(await ok(['ps', '-a', '--filter', 'name=bound']), /Exited \(137\)/));
  await ok(['rm', 'bound']);
});

live('a foreground container is served from elsewhere: logs, exec, stop', needs, async () => {
  const child = start(['run', '--name', 'served', ...none, busyboxImage(), 'sh', '-c', 'echo said; exec sleep 300']);
  const ended = finished(child);
  await eventually(async () => assert.is(await ok(['logs', 'served']), 'said\n'));
  assert.is(await ok(['exec', 'served', 'echo', 'in']), 'in\n');
  await ok(['stop', '-t', '0', 'served']);
  assert.equal(await ended, { code: 137, signal: null, stdout: 'said\n', stderr: '' });
  await ok(['rm', 'served']);
});

live('input of -i waits for whoever attaches; without it there is none', needs, async () => {
  await detached(['-i', '--name', 'waits'], ['cat'], async () => {
    assert.is(await ok(['attach', 'waits'], 'typed later\n'), 'typed later\n');
  });
  await detached(['--name', 'empty'], ['sh', '-c', 'cat; echo end'], async () => {
    await ok(['wait', 'empty']);
    assert.is(await ok(['logs', 'empty']), 'end\n');
  });
});

live('files name the container, its program and its monitor', needs, () =>
  withTmp(async (folder) => {
    const file = (name: string) => join(folder, name);
    const flags = ['--cidfile', file('cid'), '--pidfile', file('pid'), '--conmon-pidfile', file('monitor')];
    await detached(flags, sleeper, async (id) => {
      assert.is(readFileSync(file('cid'), 'utf8'), id);
      const pid = (await ok(['inspect', '--format', '{{.State.Pid}} {{.Monitor.Pid}}', id])).trim();
      assert.is(`${readFileSync(file('pid'), 'utf8').trim()} ${readFileSync(file('monitor'), 'utf8').trim()}`, pid);
      const output = await rootless(['run', '-d', '--cidfile', file('cid'), ...none, busyboxImage(), 'true']);
      assert.is(output.code, 125);
    });
  }),
);

live('secrets reach it as files and variables, and nobody else', needs, () =>
  withTmp(async (folder) => {
    writeFileSync(join(folder, 'key'), 's3cret');
    await ok(['secret', 'create', 'key', join(folder, 'key')]);
    const flags = ['--secret', 'key,uid=0,mode=0400', '--secret', 'key,type=env,target=KEY'];
    const said = await ok(['run', '--rm', ...none, ...flags, busyboxImage(), 'sh', '-c', 'cat /run/secrets/key; echo " $KEY"']);
    assert.is(said, 's3cret s3cret\n');
    assert.not.match(await ok(['secret', 'inspect', 'key']), /s3cret/);
    await ok(['secret', 'rm', 'key']);
    assert.not.ok(existsSync(join(folder, 'none')));
  }),
);

live('--timeout ends it', needs, async () => {
  const { code } = await rootless(['run', '--rm', '--timeout', '1', ...none, busyboxImage(), ...sleeper]);
  assert.is(code, 137);
});

live.run();
