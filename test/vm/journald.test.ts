/** `--log-driver journald`: a real journal gets the lines, and gives them back. */

import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { detached, ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

/** journalctl's JSON, one entry a line. */
function entries(...match: string[]): Record<string, string>[] {
  const { stdout } = spawnSync('journalctl', ['-o', 'json', '--no-pager', ...match], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, string>);
}

live('both streams arrive with the fields that podman and docker write, and logs reads them back', [], async () => {
  const script = 'echo to the journal; echo and an error >&2; sleep 300';
  await detached(['--name', 'scribe', '--log-driver', 'journald'], ['sh', '-c', script], async (id) => {
    await eventually(() => assert.is(entries('CONTAINER_NAME=scribe').length, 2));
    const [first, second] = entries('CONTAINER_NAME=scribe').sort((a, b) => (Number(a['PRIORITY']) < Number(b['PRIORITY']) ? 1 : -1));
    assert.is(first?.['MESSAGE'], 'to the journal');
    assert.is(first?.['PRIORITY'], '6');
    assert.is(second?.['MESSAGE'], 'and an error');
    assert.is(second?.['PRIORITY'], '3');
    for (const entry of [first, second]) {
      assert.is(entry?.['CONTAINER_ID_FULL'], id);
      assert.is(entry?.['CONTAINER_ID'], id.slice(0, 12));
    }
    await eventually(async () => assert.is(await ok(['logs', 'scribe']), 'to the journal\n'));
    assert.match(await ok(['logs', '--timestamps', '--tail', '2', 'scribe']), /^\d{4}-\d\d-\d\dT/);
  });
});

live('lines of every kind survive: empty, long, with bytes that are no text', [], async () => {
  const script = 'echo; yes long | tr -d "\\n" | head -c 20000; echo; printf "a\\tb\\033[1m\\377\\n"; echo end';
  const id = (
    await ok(['run', '-d', '--name', 'odd', '--network', 'none', '--log-driver', 'journald', busyboxImage(), 'sh', '-c', script])
  ).trim();
  try {
    await ok(['wait', id]);
    await eventually(async () => {
      const lines = (await ok(['logs', 'odd'])).split('\n');
      assert.equal(
        [lines[0], lines[1]?.length, lines[1]?.slice(0, 8), lines[2], lines[3]],
        ['', 20_000, 'longlong', 'a\tb\x1b[1m\ufffd', 'end'],
      );
    });
  } finally {
    await ok(['rm', '-f', id]);
  }
});

live.run();
