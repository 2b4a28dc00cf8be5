/** Killed at any moment, rootless leaves nothing behind, and the next run works. Counted, so nothing may run beside this file. */

import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { census, leftAfter, marker } from '../support/census.ts';
import { finished, rootless, until } from '../support/cli.ts';
import { run, runArgs, startRun } from '../support/container.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
const sleeper = ['sh', '-c', 'echo ready; exec sleep 300'];
const marked = ['--init', '-e', `MARKER=${marker}`];

/** The image is unpacked and every cache is warm, so that later counts differ only by what a run leaves. */
async function warm(): Promise<void> {
  assert.is((await run([], ['true'])).code, 0);
}

live('a run that ends by itself leaves nothing', needs, async () => {
  await warm();
  const before = census();
  for (const argv of [['true'], ['false'], ['no-such-program'], ['sh', '-c', 'sleep 300 & exit 3']]) await run([], argv);
  assert.equal(await leftAfter(before), []);
});

live('a failed start leaves nothing', needs, async () => {
  await warm();
  const before = census();
  for (const flags of [
    ['-u', 'nosuchuser'],
    ['-v', '/etc/passwd:/etc'],
    ['--sysctl', 'kernel.panic=1'],
    ['-w', '/etc/passwd/x'],
  ]) {
    const { code } = await run(flags, ['true']);
    assert.ok(code !== 0, flags.join(' '));
  }
  assert.equal(await leftAfter(before), []);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const) {
  live(`${signal} to rootless while the program runs leaves nothing`, needs, async () => {
    await warm();
    const before = census();
    const child = startRun(marked, sleeper);
    await until(child, 'ready');
    const ended = finished(child);
    child.kill(signal);
    await ended;
    assert.equal(await leftAfter(before), []);
    assert.is((await run([], ['true'])).code, 0);
  });
}

live(
  'SIGKILL at 25 moments of the start leaves nothing, and the next run works',
  needs,
  async () => {
    await warm();
    const before = census();
    for (let moment = 0; moment < 25; moment++) {
      const child = startRun(marked.slice(1), sleeper);
      const closed = once(child, 'close');
      await pause(moment * 10);
      child.kill('SIGKILL');
      await closed;
    }
    assert.is((await run([], ['true'])).code, 0);
    assert.equal(await leftAfter(before), []);
  },
  { seconds: 300 },
);

live(
  'SIGKILL while the image is unpacked for the first time does not spoil it',
  needs,
  async () => {
    const fresh = ['0', '1', '2', '3', '4', '5', '6', '7'];
    for (const name of fresh) {
      const env = { ROOTLESS_DATA: `${process.env['TMPDIR'] ?? '/tmp'}/kill-${process.pid}-${name}` };
      const child = startRun(marked.slice(1), sleeper, { env });
      const closed = once(child, 'close');
      await pause(60 + Number(name) * 25);
      child.kill('SIGKILL');
      await closed;
      const { code, stdout, stderr } = await run([], ['echo', 'whole'], { env });
      assert.is(code, 0, stderr);
      assert.is(stdout, 'whole\n');
      const removed = await rootless(['unshare', 'rm', '-rf', env.ROOTLESS_DATA]);
      assert.is(removed.code, 0, removed.stderr);
    }
  },
  { seconds: 300 },
);

live('the helper killed under a running container: rootless ends, and nothing is left', needs, async () => {
  await warm();
  const before = census();
  const child = startRun(marked.slice(1), sleeper);
  await until(child, 'ready');
  const ended = finished(child);
  const helpers = census().processes.filter((entry) => !before.processes.includes(entry) && entry.includes(' rootless-help'));
  assert.ok(helpers.length > 0, 'no helper is running');
  for (const entry of helpers) {
    try {
      process.kill(Number(entry.split(' ')[0]), 'SIGKILL');
    } catch {
      // It ended with the one before it.
    }
  }
  assert.ok((await ended).code !== 0);
  assert.is((await run([], ['true'])).code, 0);
  assert.equal(await leftAfter(before), []);
});

live('two runs of one image at the same first moment both work', needs, async () => {
  const env = { ROOTLESS_DATA: `${process.env['TMPDIR'] ?? '/tmp'}/both-${process.pid}` };
  const both = await Promise.all([1, 2, 3, 4].map((number) => rootless(runArgs([], ['echo', String(number)], busyboxImage()), { env })));
  assert.equal(
    both.map(({ code, stdout }) => `${code} ${stdout.trim()}`),
    ['0 1', '0 2', '0 3', '0 4'],
    both.map(({ stderr }) => stderr).join(''),
  );
  assert.is((await rootless(['unshare', 'rm', '-rf', env.ROOTLESS_DATA])).code, 0);
});

live.run();
