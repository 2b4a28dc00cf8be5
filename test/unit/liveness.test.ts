/** Processes told apart by start time: one that has ended but was not waited for counts as gone. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isAlive } from '../../src/image/owner.ts';
import { bootId, startTime } from '../../src/liveness.ts';

test('this process has a start time, one that never was has none', () => {
  assert.match(startTime('self') ?? '', /^\d+$/);
  assert.is(startTime('4194305'), undefined);
  assert.match(bootId(), /^[0-9a-f-]{36}$/);
});

test('a zombie is gone', async () => {
  // The shell becomes a program that never waits for the child.
  const parent = spawn('sh', ['-c', 'read line <&3 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  try {
    const [chunk] = (await once(parent.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const pid = chunk.toString().trim();
    const born = startTime(pid);
    assert.ok(isAlive(`${pid}-${born}`));
    process.kill(Number(pid), 'SIGKILL');
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await new Promise(setImmediate);
    assert.is(startTime(pid), undefined);
    assert.not.ok(isAlive(`${pid}-${born}`));
  } finally {
    parent.kill('SIGKILL');
  }
});

test.run();
