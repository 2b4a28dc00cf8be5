/** Pipes without loss in both directions, end of file, signals, and a reader that goes away. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as assert from 'uvu/assert';
import { environment, finished, rootless, until } from '../support/cli.ts';
import { bin } from '../support/checkout.ts';
import { run, runArgs, startRun } from '../support/container.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
const block = randomBytes(1 << 20);
const blocks = 1024;

/** sha256 of `count` times the block. */
function expectedHash(count: number): string {
  const hash = createHash('sha256');
  for (let index = 0; index < count; index++) hash.update(block);
  return hash.digest('hex');
}

async function feed(child: ChildProcess, count: number): Promise<void> {
  const { stdin } = child;
  if (stdin === null) throw new Error('no stdin');
  for (let index = 0; index < count; index++) if (!stdin.write(block)) await once(stdin, 'drain');
  stdin.end();
}

live(
  '1 GiB goes in through -i unchanged',
  needs,
  async () => {
    const child = startRun(['-i'], ['sha256sum']);
    const output = finished(child);
    await feed(child, blocks);
    const { code, stdout } = await output;
    assert.is(code, 0);
    assert.is(stdout.split(' ')[0], expectedHash(blocks));
  },
  { seconds: 400 },
);

live(
  '1 GiB comes out through a pipe unchanged',
  needs,
  async () => {
    const child = startRun(['-i'], ['cat']);
    const hash = createHash('sha256');
    child.stdout?.on('data', (chunk: Buffer) => hash.update(chunk));
    const closed = once(child, 'close');
    await feed(child, blocks);
    assert.equal((await closed)[0], 0);
    assert.is(hash.digest('hex'), expectedHash(blocks));
  },
  { seconds: 400 },
);

live('without -i the program sees end of file at once', needs, async () => {
  const { code, stdout } = await run([], ['sh', '-c', 'cat | wc -c'], { input: 'not for you' });
  assert.is(code, 0);
  assert.is(stdout.trim(), '0');
});

live('stdout and stderr stay apart', needs, async () => {
  const { stdout, stderr } = await run([], ['sh', '-c', 'echo out; echo err >&2']);
  assert.is(stdout, 'out\n');
  assert.is(
    stderr
      .split('\n')
      .filter((line) => !line.startsWith('rootless: '))
      .join('\n'),
    'err\n',
  );
});

live('-a shares the streams that it names, and the log has all', needs, async () => {
  const script = 'cat; echo out; echo err >&2; exit 4';
  for (const [streams, said] of [
    [['stdout'], { code: 4, stdout: 'out\n', stderr: '' }],
    [['stderr'], { code: 4, stdout: '', stderr: 'err\n' }],
    [['STDIN', 'stdout'], { code: 4, stdout: 'in\nout\n', stderr: '' }],
  ] as const) {
    const flags = ['-i', ...streams.flatMap((name) => ['-a', name])];
    const { code, stdout, stderr } = await rootless(runArgs(flags, ['sh', '-c', script]), { input: 'in\n' });
    assert.equal({ code, stdout, stderr: stderr.replace(/^rootless: one user id.*\n/, '') }, said, streams.join());
  }
  const fed = await rootless(['run', '--name', 'fed', '--network', 'none', '-i', '-a', 'stdin', busyboxImage(), 'sh', '-c', script], {
    input: 'in\n',
  });
  assert.is(fed.code, 0, fed.stderr);
  assert.match(fed.stdout, /^[0-9a-f]{64}\n$/);
  const { stdout } = await rootless(['logs', 'fed']);
  assert.is(stdout, 'in\nout\n');
  await rootless(['rm', 'fed']);
  for (const flags of [
    ['-a', 'nonsense'],
    ['-a', 'stdout', '-d'],
  ])
    assert.is((await rootless(runArgs(flags, ['true']))).code, 125);
});

live('the last bytes before the exit are not lost', needs, async () => {
  for (let round = 0; round < 5; round++) {
    const { stdout } = await run([], ['sh', '-c', 'head -c 300000 /dev/zero; exec printf end']);
    assert.is(stdout.length, 300_003);
    assert.ok(stdout.endsWith('end'));
  }
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
  live(`${signal} reaches the program, whose own exit code comes back`, needs, async () => {
    const script = `trap 'echo got; exit 9' ${signal.slice(3)}; echo ready; while :; do sleep 0.1; done`;
    const child = startRun([], ['sh', '-c', script]);
    await until(child, 'ready');
    const output = finished(child);
    child.kill(signal);
    const { code, stdout } = await output;
    assert.is(code, 9);
    assert.match(stdout, /got/);
  });
}

live('a program killed by a forwarded signal gives 128 + n', needs, async () => {
  const child = startRun(['--init'], ['sh', '-c', 'echo ready; exec sleep 60']);
  await until(child, 'ready');
  const output = finished(child);
  child.kill('SIGTERM');
  assert.is((await output).code, 143);
});

live('a reader that goes away ends the container', needs, async () => {
  const line = `"$@" | head -c 3`;
  const pipe = spawn('sh', ['-c', line, 'sh', bin, ...runArgs([], ['yes'])], {
    env: environment,
  });
  const { code, stdout } = await finished(pipe);
  assert.is(code, 0);
  assert.is(stdout, 'y\ny');
});

live('a closed stdin is as good as an empty one', needs, async () => {
  const child = spawn('sh', ['-c', 'exec "$@" <&-', 'sh', bin, ...runArgs(['-i'], ['cat'])], {
    env: environment,
  });
  const { code, stdout } = await finished(child);
  assert.is(code, 0);
  assert.is(stdout, '');
});

live.run();
