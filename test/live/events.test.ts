/** `events`: a container's life as commands and its monitor tell it, kept and as it happens. */

import * as assert from 'uvu/assert';
import { rootless, start, until } from '../support/cli.ts';
import { detached, ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
const none = ['--network', 'none'];
const kept = (...args: string[]) => ok(['events', '--since', '1h', '--until', '0s', ...args]);
const actions = async (...args: string[]) => (await kept('--format', '{{.Action}}', ...args)).split('\n').filter(Boolean);

live('the life of a container is told in order', needs, async () => {
  assert.is((await rootless(['run', '--name', 'lived', '-l', 'tier=front', ...none, busyboxImage(), 'sh', '-c', 'exit 3'])).code, 3);
  await ok(['rename', 'lived', 'renamed']);
  await ok(['rm', 'renamed']);
  assert.equal(await actions('--filter', 'type=container', '--filter', 'label=tier=front'), [
    'create',
    'start',
    'die',
    'rename',
    'destroy',
  ]);
  const [line] = (await kept('--filter', 'event=die', '--filter', 'container=lived')).split('\n');
  assert.match(
    line ?? '',
    /^20\d\d-\d\d-\d\dT[0-9:]+\.\d{9}(Z|[+-]\d\d:\d\d) container die [0-9a-f]{64} \(exitCode=3, image=.*, name=lived, tier=front\)$/,
  );
  assert.match(await kept('--filter', 'event=die', '--filter', 'container=lived', '--no-trunc=false'), / container die [0-9a-f]{12} \(/);
  const event = JSON.parse(await kept('--filter', 'event=die', '--filter', 'container=lived', '--format', 'json'));
  assert.is(event.Action, 'die');
  assert.is(event.Actor.Attributes.exitCode, '3');
});

live('what others do to it is told too', needs, async () => {
  await detached(['--name', 'handled'], ['sleep', '300'], async () => {
    await ok(['exec', 'handled', 'true']);
    await ok(['pause', 'handled']);
    await ok(['unpause', 'handled']);
    await ok(['stop', '-t', '0', 'handled']);
  });
  const told = await actions('--filter', 'container=handled');
  for (const action of ['create', 'start', 'exec_die', 'pause', 'unpause', 'kill', 'die', 'stop', 'destroy']) {
    assert.ok(
      told.some((one) => one === action || one.startsWith(`${action}:`)),
      `${action} is missing: ${told}`,
    );
  }
});

live('the end of one that goes by itself is told once, by the name that it has then', needs, async () => {
  await detached(['--rm', '--name', 'first'], ['sleep', '300'], async () => {
    await ok(['rename', 'first', 'second']);
    await ok(['kill', 'second']);
    await eventually(async () => assert.is((await rootless(['container', 'exists', 'second'])).code, 1));
  });
  await eventually(async () => assert.ok((await actions('--filter', 'container=second')).includes('destroy')));
  assert.equal(await actions('--filter', 'container=second'), ['rename', 'kill', 'die', 'destroy']);
  await detached(['--rm', '--name', 'third'], ['sleep', '300'], async (id) => {
    await ok(['rm', '-f', id]);
    assert.equal((await actions('--filter', 'container=third')).filter((action) => action === 'destroy').length, 1);
  });
});

live('a follower sees what happens, and nothing that happened before', needs, async () => {
  await ok(['create', '--name', 'before', ...none, busyboxImage(), 'true']);
  const child = start(['events', '--filter', 'event=destroy', '--format', '{{.Actor.Attributes.name}} {{.Action}}']);
  // Nobody says when it began to watch: something is made to happen until it is seen.
  const seen = until(child, 'passing destroy');
  let found = false;
  void seen.then(() => {
    found = true;
  });
  await eventually(async () => {
    await ok(['create', '--name', 'passing', ...none, busyboxImage(), 'true']);
    await ok(['rm', 'passing']);
    assert.ok(found);
  });
  assert.not.match(await seen, /before/);
  child.kill();
  await ok(['rm', 'before']);
});

live('volumes have events', [], async () => {
  await ok(['volume', 'create', 'told']);
  await ok(['volume', 'rm', 'told']);
  assert.equal(await actions('--filter', 'volume=told'), ['create', 'destroy']);
  assert.equal(await actions('--filter', 'type=volume', '--filter', 'event=create'), ['create']);
});

live('kept events can be printed without waiting, also by the name of system', [], async () => {
  const all = await ok(['events', '--stream=false']);
  assert.ok(all.split('\n').length > 3);
  assert.is(await ok(['system', 'events', '--stream=false']), all);
  assert.is(await ok(['events', '--since', '2020-01-01', '--until', '2020-01-02']), '');
});

for (const args of [
  ['events', '--since', 'yesterday'],
  ['events', '--filter', 'nosuch=1'],
  ['events', '--format', '{{.Action'],
  ['events', 'word'],
]) {
  live(`${args.join(' ')} is refused`, [], async () => assert.is((await rootless(args)).code, 125));
}

live.run();
