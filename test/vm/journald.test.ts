/** `--log-driver journald`: a real journal gets the lines, and gives them back. */

import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { detached, ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
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
    assert.match(await ok(['logs', '--timestamps', '--tail', '1', 'scribe']), /^\d{4}-\d\d-\d\dT/);
  });
});

live('lines of every kind survive: empty, long, with bytes that are no text', [], async () => {
  const script = 'echo; yes long | head -c 20000 | tr -d "\\n"; echo; printf "a\\tb\\033[1m\\377\\n"; echo end';
  const id = (
    await ok(['run', '-d', '--name', 'odd', '--network', 'none', '--log-driver', 'journald', `rootfs:/tmp/lab-rootfs`, 'sh', '-c', script])
  ).trim();
  try {
    await ok(['wait', id]);
    await eventually(async () => assert.match(await ok(['logs', 'odd']), /end\n$/));
  } finally {
    await ok(['rm', '-f', id]);
  }
});

live.run();
