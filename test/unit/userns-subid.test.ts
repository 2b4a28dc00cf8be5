/** Subordinate ids as subuid(5) lists them and getsubids prints them. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { disjoint, intersect, subtract } from '../../src/userns/ranges.ts';
import { parseGetsubids, parseSubids, readSubids, subidSource } from '../../src/userns/subid.ts';
import { withTmp } from '../support/tmp.ts';

const ana = { uid: 1000, name: 'ana' };
const range = (start: number, size: number) => ({ start, size });

const tables: readonly (readonly [string, string, readonly { start: number; size: number }[]])[] = [
  ['by name', 'bob:1:2\nana:100000:65536\n', [range(100000, 65536)]],
  ['by number', '1000:100000:65536\n', [range(100000, 65536)]],
  [
    'several, in the order of the file',
    'ana:300000:10\n1000:100000:20\nana:200000:30',
    [range(300000, 10), range(100000, 20), range(200000, 30)],
  ],
  ['overlapping ones once', 'ana:100:50\nana:120:50\n', [range(100, 50), range(150, 20)]],
  ['the same line twice once', 'ana:100:50\nana:100:50\n', [range(100, 50)]],
  ['beyond 2^31', 'ana:3000000000:65536', [range(3000000000, 65536)]],
  ['up to the last id that exists', 'ana:4294967290:100', [range(4294967290, 5)]],
  ['nobody else', 'anna:1:2\nan:1:2\n10000:1:2\n', []],
  ['neither comments nor nonsense', '# ana:1:2\n\nana\nana:x:5\nana:5:x\nana:5\nana:1:2:3\nana:-1:5\nana:0x10:5\nana:9:0\n', []],
  ['nothing that begins beyond the last id', 'ana:4294967295:5\nana:99999999999:5', []],
  ['lines with a trailing space', 'ana:100:50 \n', [range(100, 50)]],
];

for (const [name, text, wanted] of tables) {
  test(`a table gives ${name}`, () => assert.equal(parseSubids(text, ana), wanted));
}

test('getsubids prints one range a line', () => {
  assert.equal(parseGetsubids('0: ana 100000 65536\n1: ana 300000 5\n'), [range(100000, 65536), range(300000, 5)]);
  assert.equal(parseGetsubids('Error fetching ranges\n'), []);
});

test('the source of ranges is the first one that nsswitch.conf names', () => {
  assert.is(subidSource('passwd: files\nsubid: sss\n'), 'sss');
  assert.is(subidSource('subid:files'), 'files');
  assert.is(subidSource('# subid: sss\npasswd: files'), undefined);
});

test('missing tables are empty ones', () =>
  withTmp((folder) => {
    assert.equal(readSubids(ana, folder), { uid: [], gid: [] });
    writeFileSync(join(folder, 'subuid'), 'ana:5:6\n');
    assert.equal(readSubids(ana, folder), { uid: [range(5, 6)], gid: [] });
  }));

test('ranges are cut, shared and kept apart', () => {
  assert.equal(subtract([range(0, 10)], [range(3, 2), range(9, 5)]), [range(0, 3), range(5, 4)]);
  assert.equal(subtract([range(5, 5)], [range(0, 100)]), []);
  assert.equal(intersect([range(0, 10), range(20, 10)], [range(5, 20)]), [range(5, 5), range(20, 5)]);
  assert.equal(disjoint([range(10, 10), range(0, 30)]), [range(10, 10), range(0, 10), range(20, 10)]);
});

test.run();
