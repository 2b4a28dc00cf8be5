/** `ps`, `port` and `container prune` over containers in every state. */

import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { data, rootless } from '../support/cli.ts';
import { detached, ok, terminal } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { freePorts } from '../support/ports.ts';

const needs = ['userns', 'busybox'] as const;
const none = ['--network', 'none'];
const names = async (...args: string[]) => (await ok(['ps', '--format', '{{.Names}}', ...args])).split('\n').filter(Boolean).sort();
const status = async (name: string) => (await ok(['ps', '-a', '--filter', `name=^${name}$`, '--format', '{{.State}}: {{.Status}}'])).trim();

live('every state has its words, and only what is active is listed without -a', needs, async () => {
  await ok(['create', '--name', 'made', ...none, busyboxImage(), 'true']);
  assert.is((await rootless(['run', '--name', 'ended', ...none, busyboxImage(), 'sh', '-c', 'exit 3'])).code, 3);
  const check = ['--health-cmd', 'true', '--health-interval', '1s'];
  await detached(['--name', 'well', '--label', 'tier=front', ...check], ['sleep', '300'], async (id) => {
    assert.match(await status('made'), /^created: Created$/);
    assert.match(await status('ended'), /^exited: Exited \(3\) .* ago$/);
    await eventually(async () => assert.match(await status('well'), /^running: Up .* \(healthy\)$/));
    await ok(['pause', 'well']);
    assert.match(await status('well'), /^paused: Up .* \(Paused\)$/);
    assert.equal(await names(), ['well']);
    await ok(['unpause', 'well']);
    assert.equal(await names('-a'), ['ended', 'made', 'well']);
    assert.equal(await names('--filter', 'status=exited'), ['ended']);
    assert.equal(await names('--filter', 'exited=3'), ['ended']);
    assert.equal(await names('-a', '--filter', 'label=tier=front'), ['well']);
    assert.equal(await names('--filter', 'health=healthy'), ['well']);
    assert.equal(await names('-a', '--filter', 'since=made'), ['ended', 'well']);
    assert.equal(await names('-a', '--filter', 'before=ended'), ['made']);
    assert.equal(await names('-l'), ['well']);
    assert.equal(await names('-n', '2'), ['ended', 'well']);
    assert.is(await ok(['ps', '-q', '--no-trunc']), `${id}\n`);
    assert.is(await ok(['ps', '-q']), `${id.slice(0, 12)}\n`);
    const row = JSON.parse(await ok(['container', 'ls', '--format', 'json']));
    assert.is(row.ID, id.slice(0, 12));
    assert.is(row.Labels, 'tier=front');
    assert.match((await ok(['ps', '--format', 'table {{.ID}}\\t{{.Label "tier"}}'])).split('\n')[0] ?? '', /^CONTAINER ID {3}tier$/);
  });
  await ok(['rm', 'made', 'ended']);
});

live('a container that restarts says so', needs, async () => {
  await ok(['run', '-d', '--name', 'again', '--restart', 'always', ...none, busyboxImage(), 'sh', '-c', 'exit 2']);
  await eventually(async () => assert.match(await status('again'), /^restarting: Restarting \(2\) .* ago$/));
  // Between two waits it runs for a moment.
  await eventually(async () => assert.equal(await names('--filter', 'status=restarting'), ['again']));
  assert.equal(await names('-a', '--filter', 'restart-policy=always'), ['again']);
  await ok(['rm', '-f', '-t', '0', 'again']);
});

live('-s tells what was written and the whole size', needs, async () => {
  await ok(['run', '--name', 'wrote', ...none, busyboxImage(), 'sh', '-c', 'head -c 100000 /dev/zero > /var/data; mkdir -m 0 /tmp/closed']);
  const size = (await ok(['ps', '-a', '--filter', 'name=wrote', '--format', '{{.Size}}'])).trim();
  assert.match(size, /^1[0-9.]+kB \(virtual [0-9.]+MB\)$/);
  const [row] = JSON.parse(await ok(['inspect', '--size', 'wrote'])) as { SizeRw: number; SizeRootFs: number }[];
  assert.ok(row !== undefined && row.SizeRw >= 100_000 && row.SizeRootFs > row.SizeRw);
  await ok(['rm', 'wrote']);
});

live('a container whose description is damaged is listed as dead, and goes', needs, async () => {
  const id = (await ok(['create', '--name', 'broken', ...none, busyboxImage(), 'true'])).trim();
  writeFileSync(join(data, 'containers', id, 'container.json'), '{"id":');
  assert.match(await status('broken'), /^dead: Dead$/);
  assert.is((await ok(['inspect', '--format', '{{.State.Dead}} {{.Name}}', id])).trim(), 'true broken');
  await ok(['rm', '-f', 'broken']);
  assert.equal(await names('-a'), []);
});

live('published ports are shown as ranges, and port finds each', [...needs, 'tun', 'pasta'], async () => {
  const first = await freePorts(4);
  const [last, single] = [first + 2, first + 3];
  const published = ['-p', `127.0.0.1:${single}:80`, '-p', `${first}-${last}:${first}-${last}`];
  const id = (await ok(['run', '-d', '--name', 'served', ...published, busyboxImage(), 'sleep', '300'])).trim();
  try {
    assert.is(
      (await ok(['ps', '--format', '{{.Ports}}'])).trim(),
      `0.0.0.0:${first}-${last}->${first}-${last}/tcp, 127.0.0.1:${single}->80/tcp`,
    );
    assert.is((await ok(['port', 'served', '80'])).trim(), `127.0.0.1:${single}`);
    assert.match(
      await ok(['port', 'served']),
      new RegExp(`^80/tcp -> 127\\.0\\.0\\.1:${single}\n${first}/tcp -> 0\\.0\\.0\\.0:${first}\n`),
    );
    assert.is((await rootless(['port', 'served', '81'])).code, 1);
    assert.is((await rootless(['port', 'served', 'web'])).code, 1);
    assert.equal(await names('--filter', `publish=${first + 1}`), ['served']);
    assert.equal(await names('--filter', 'expose=80'), ['served']);
  } finally {
    await rootless(['rm', '-f', '-t', '0', id]);
  }
});

live('prune takes what does not run, and asks first', needs, async () => {
  await ok(['create', '--name', 'old', '--label', 'keep', ...none, busyboxImage(), 'true']);
  await ok(['create', '--name', 'older', ...none, busyboxImage(), 'true']);
  await detached(['--name', 'busy'], ['sleep', '300'], async () => {
    const refused = await rootless(['container', 'prune'], { input: 'n\n' });
    assert.is(refused.code, 1);
    assert.match(refused.stdout, /all stopped containers/);
    assert.match(await ok(['container', 'prune', '--filter', 'until=1h', '-f']), /^Total reclaimed space: 0B$/m);
    const output = await ok(['container', 'prune', '--filter', 'label!=keep'], 'y\n');
    assert.match(output, /Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: /);
    assert.equal(await names('-a'), ['busy', 'old']);
    await ok(['container', 'prune', '--force']);
    assert.equal(await names('-a'), ['busy']);
  });
  assert.equal(readdirSync(join(data, 'containers')), []);
});

live("a terminal is not sent what a stranger's label says to it, a pipe is", [...needs, 'python'], async () => {
  await ok(['create', '--name', 'hostile', '--label', 'x=\x1b[2Jgone', ...none, busyboxImage(), 'true']);
  const template = ['ps', '-a', '--format', '{{.Names}}: {{.Labels}}'];
  assert.is(await ok(template), 'hostile: x=\x1b[2Jgone\n');
  const screen = terminal(template);
  await screen.shows(/hostile: x=\\x1b\[2Jgone/);
  await screen.ended;
  await ok(['rm', 'hostile']);
});

live('exists answers by its exit code', needs, async () => {
  await ok(['create', '--name', 'here', ...none, busyboxImage(), 'true']);
  assert.is((await rootless(['container', 'exists', 'here'])).code, 0);
  assert.is((await rootless(['container', 'exists', 'there'])).code, 1);
  assert.is((await rootless(['image', 'exists', 'no/such:image'])).code, 1);
  await ok(['rm', 'here']);
});

for (const args of [
  ['ps', '--filter', 'status=up'],
  ['ps', '--filter', 'nosuch=1'],
  ['ps', '--format', '{{.Nosuch'],
  ['ps', '-n', 'x'],
  ['ps', 'word'],
  ['ps', '--filter', 'since=nosuch'],
  ['port'],
  ['port', 'nosuch'],
  ['container', 'prune', '-f', '--filter', 'name=x'],
]) {
  live(`${args.join(' ')} is refused`, [], async () => {
    const { code, stderr } = await rootless(args);
    assert.ok(code !== 0);
    assert.match(stderr, /^rootless: /);
  });
}

live('a store that is empty, or not there at all, has no containers', [], async () => {
  rmSync(join(data, 'containers'), { recursive: true, force: true });
  assert.is((await ok(['ps', '-a'])).split('\n').length, 2);
  assert.is(await ok(['ps', '-aq']), '');
});

live.run();
