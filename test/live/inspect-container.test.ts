/** `inspect`, `top` and `healthcheck run` of real containers. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { rootless } from '../support/cli.ts';
import { detached, ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const none = ['--network', 'none'];
const field = async (template: string, name: string) => (await ok(['inspect', '--format', template, name])).trim();

live("docker's fields are there, and true", needs, () =>
  withTmp(async (folder) => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    const flags = [
      '--name',
      'seen',
      '-v',
      `${shared}:/shared:ro`,
      '-v',
      'data:/data',
      '-e',
      'A=1',
      '-l',
      'tier=front',
      '-w',
      '/tmp',
      '--stop-timeout',
      '3',
    ];
    await detached(flags, ['sleep', '300'], async (id) => {
      const [all] = JSON.parse(await ok(['inspect', 'seen'])) as Record<string, unknown>[];
      for (const name of 'Id Created Path Args State Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount Driver Platform Mounts Config HostConfig NetworkSettings'.split(
        ' ',
      )) {
        assert.ok(all !== undefined && name in all, name);
      }
      assert.is(await field('{{.Id}}', 'seen'), id);
      assert.is(await field('{{.Path}} {{join .Args " "}}', 'seen'), 'sleep 300');
      assert.is(await field('{{.State.Status}} {{.State.Running}} {{.State.ExitCode}}', 'seen'), 'running true 0');
      assert.is(await ok(['exec', 'seen', 'cat', '/proc/1/comm']), 'sleep\n');
      assert.match(await field('{{.State.Pid}}', 'seen'), /^[1-9]\d*$/);
      assert.is(
        await field('{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}};{{end}}', 'seen'),
        'bind /shared false;volume /data true;',
      );
      assert.is(await field('{{(index .Mounts 0).Source}}', 'seen'), shared);
      assert.is(await field('{{index .Config.Labels "tier"}} {{.Config.WorkingDir}} {{.Config.StopTimeout}}', 'seen'), 'front /tmp 3');
      assert.ok((await field('{{json .Config.Env}}', 'seen')).includes('"A=1"'));
      assert.is(await field('{{.HostConfig.NetworkMode}}', 'seen'), 'none');
      assert.is(await field('{{with .State.Health}}{{.Status}}{{else}}no check{{end}}', 'seen'), 'no check');
      await ok(['stop', '-t', '0', 'seen']);
      assert.is(await field('{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.Pid}}', 'seen'), 'exited false 137 0');
      assert.match(await field('{{.State.FinishedAt}}', 'seen'), /^20\d\d-/);
    });
    await ok(['volume', 'rm', 'data']);
  }),
);

live('several at once, by name and by the beginning of an id; what is missing does not hide what is there', needs, async () => {
  const one = (await ok(['create', '--name', 'one', ...none, busyboxImage(), 'true'])).trim();
  await ok(['create', '--name', 'two', ...none, busyboxImage(), 'true']);
  assert.is(await ok(['inspect', '-f', '{{.Name}}', one.slice(0, 8), 'two']), 'one\ntwo\n');
  assert.is(await ok(['inspect', '--latest', '-f', '{{.Name}}']), 'two\n');
  const both = await rootless(['inspect', '--format', 'json', 'nosuch', 'one']);
  assert.is(both.code, 1);
  assert.match(both.stderr, /no such object: "nosuch"/);
  assert.is((JSON.parse(both.stdout) as unknown[]).length, 1);
  const none_ = await rootless(['inspect', 'nosuch']);
  assert.is(none_.stdout.trim(), '[]');
  assert.ok((await rootless(['container', 'inspect', 'nosuch'])).code !== 0);
  assert.ok((await rootless(['inspect', '--type', 'image', 'one'])).code !== 0);
  assert.is((await rootless(['inspect', '--type', 'pod', 'one'])).code, 125);
  assert.is((await rootless(['inspect'])).code, 125);
  const bad = await rootless(['inspect', '-f', '{{.State.Statu}}', 'one']);
  assert.is(bad.code, 1);
  assert.match(bad.stderr, /did you mean ".Status"/);
  await ok(['rm', 'one', 'two']);
});

live('top shows processes of both sides: the host ids of ps, and those inside by descriptor', needs, async () => {
  await detached(['--name', 'busy', '-u', '1000'], ['sh', '-c', 'sleep 301; true'], async () => {
    const lines = await eventually(async () => {
      const rows = (await ok(['top', 'busy'])).trim().split('\n');
      assert.is(rows.length, 3);
      return rows;
    });
    assert.match(lines[0] ?? '', /^UID\s+PID\s+PPID\s+C\s+STIME\s+TTY\s+TIME\s+CMD$/);
    assert.match(lines.join('\n'), /sleep 301$/m);
    const ours = (await ok(['top', 'busy', 'user,pid,ppid,args'])).trim().split('\n');
    assert.is(ours[0], 'USER   PID   PPID   COMMAND');
    assert.match(ours[1] ?? '', /^ana {4}1 {5}0 {6}sh -c sleep 301; true$/);
    assert.match(ours[2] ?? '', /^ana {4}\d+ +1 +sleep 301$/);
    const pid = (await field('{{.State.Pid}}', 'busy')).trim();
    assert.match(await ok(['top', 'busy', '-o', 'pid,comm']), new RegExp(`^${pid} +sh$`, 'm'));
    assert.match(await ok(['container', 'top', 'busy', 'hpid', 'comm']), new RegExp(`^${pid} +sh$`, 'm'));
    assert.is((await rootless(['top', 'busy', '-o', 'comm'])).code, 1);
    assert.is((await rootless(['top', 'busy', '--nonsense'])).code, 1);
  });
  await ok(['create', '--name', 'still', ...none, busyboxImage(), 'true']);
  assert.match((await rootless(['top', 'still'])).stderr, /container is not running/);
  assert.is((await rootless(['top', 'nosuch'])).code, 1);
  assert.ok((await rootless(['top'])).code !== 0);
  await ok(['rm', 'still']);
});

live('health is checked on demand', needs, async () => {
  const check = ['--health-cmd', 'test -e /tmp/ok', '--health-interval', '1h'];
  await detached(['--name', 'sick', ...check], ['sleep', '300'], async () => {
    const bad = await rootless(['healthcheck', 'run', 'sick']);
    assert.is(bad.code, 1);
    assert.match(bad.stdout, /^(starting|unhealthy)\n$/);
    await ok(['exec', 'sick', 'touch', '/tmp/ok']);
    assert.is((await rootless(['healthcheck', 'run', 'sick'])).code, 0);
    assert.is(await field('{{.State.Health.Status}}', 'sick'), 'healthy');
    await ok(['stop', '-t', '0', 'sick']);
    assert.match((await rootless(['healthcheck', 'run', 'sick'])).stderr, /is not running/);
  });
  await detached(['--name', 'plain'], ['sleep', '300'], async () => {
    const { code, stderr } = await rootless(['healthcheck', 'run', 'plain']);
    assert.is(code, 125);
    assert.match(stderr, /no defined healthcheck/);
  });
});

live.run();
