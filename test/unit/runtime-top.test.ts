/** Processes of a container: ids of both sides, columns of ps, and files that the container may have prepared. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { filtered } from '../../src/cli/top.ts';
import { readStat } from '../../src/runtime/processes.ts';
import { descriptors, elapsed, fromHost, inspectProcess, namesOf, readInside, terminal, usualDescriptors } from '../../src/runtime/top.ts';
import { withTmp } from '../support/tmp.ts';

const map = '         0       1000          1\n         1     100000      65536\n';

for (const [outside, inside] of [
  ['1000', '0'],
  ['100000', '1'],
  ['165535', '65536'],
  ['165536', 'nobody'],
  ['0', 'nobody'],
  ['', 'nobody'],
] as const) {
  test(`the host's id "${outside}" is ${inside} inside`, () => assert.is(fromHost(map, outside), inside));
}

for (const [seconds, text] of [
  [0, '00:00'],
  [61, '01:01'],
  [3600, '01:00:00'],
  [90061, '1-01:01:01'],
] as const) {
  test(`${seconds} seconds are ${text}`, () => assert.is(elapsed(seconds), text));
}

for (const [number, name] of [
  [0, '?'],
  [0x8803, 'pts/3'],
  [0x8900, 'pts/256'],
  [0x401, 'tty1'],
] as const) {
  test(`terminal ${number} is ${name}`, () => assert.is(terminal(number), name));
}

test('every column can be said of a process of ours', () => {
  const stat = readStat(process.pid);
  assert.ok(stat);
  const inspected = inspectProcess(stat, namesOf(process.pid));
  const values = Object.fromEntries(Object.entries(descriptors).map(([name, { value }]) => [name, value(inspected)]));
  assert.is(values['hpid'], String(process.pid));
  assert.match(values['args'] ?? '', /node/);
  assert.match(values['rss'] ?? '', /^\d+$/);
  assert.match(values['stime'] ?? '', /^\d\d:\d\d$/);
  assert.match(values['capeff'] ?? '', /^[0-9a-f]{16}$/);
  assert.match(values['pcpu'] ?? '', /^\d+\.\d{3}$/);
  for (const [name, value] of Object.entries(values)) assert.is.not(value, '', name);
  for (const name of usualDescriptors) assert.ok(descriptors[name], name);
});

const output = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 11:25 ?        00:00:42 /sbin/init  --flag
ana          142       1  0 14:00 ?        00:00:00 sh -c sleep  10
ana           42     142  0 14:00 ?        00:00:00 [kworker/0:1]
`;

test('of what ps says, the processes of the container are kept, with all of the last column', () => {
  assert.is(
    filtered(output, new Set(['42', '142'])),
    'UID   PID   PPID   C   STIME   TTY   TIME       CMD\nana   142   1      0   14:00   ?     00:00:00   sh -c sleep  10\nana   42    142    0   14:00   ?     00:00:00   [kworker/0:1]\n',
  );
  assert.is(filtered(output, new Set()), 'UID   PID   PPID   C   STIME   TTY   TIME   CMD\n');
});

test('without a column PID nothing can be kept', () => {
  assert.throws(
    () => filtered('COMMAND\nsh\n', new Set(['1'])),
    (error: unknown) => error instanceof RootlessError && error.code === 'PS_WITHOUT_PID',
  );
});

test('a line that is shorter than its heading is no trouble', () => {
  assert.is(filtered('PID TTY CMD\n1\n2 ?\n', new Set(['1', '2'])), 'PID   TTY   CMD\n1\n2     ?\n');
});

test('links, pipes and huge files of a container are not read', () =>
  withTmp((folder) => {
    const etc = join(folder, 'etc');
    mkdirSync(etc);
    writeFileSync(join(etc, 'passwd'), 'ana:x:7:7::/:/bin/sh\n');
    assert.match(readInside(etc, 'passwd'), /ana/);
    writeFileSync(join(folder, 'secret'), 'secret:x:1:1\n');
    symlinkSync('../secret', join(etc, 'link'));
    assert.is(readInside(etc, 'link'), '');
    symlinkSync('etc', join(folder, 'other'));
    assert.is(readInside(join(folder, 'other'), 'passwd'), '');
    assert.is(spawnSync('mkfifo', [join(etc, 'pipe')]).status, 0);
    assert.is(readInside(etc, 'pipe'), '');
    writeFileSync(join(etc, 'huge'), Buffer.alloc(5 * 1024 * 1024));
    assert.is(readInside(etc, 'huge'), '');
    assert.is(readInside(etc, 'missing'), '');
    assert.is(readInside(etc, '..'), '');
  }));

test.run();
