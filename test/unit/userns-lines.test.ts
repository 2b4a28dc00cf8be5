/** Maps asked for line by line: podman's notation and rules. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIdLine, parseUserns } from '../../src/cli/values/userns.ts';
import { RootlessError } from '../../src/errors.ts';
import type { IdMapping } from '../../src/helper.ts';
import { chooseMapping } from '../../src/userns/choose.ts';
import type { Host } from '../../src/userns/host.ts';
import { bothKinds, type MapLine, mapLines, ownIds } from '../../src/userns/lines.ts';
import { ana } from '../support/host.ts';

const line = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size });
const there = ownIds(1000, [
  { start: 100000, size: 100 },
  { start: 300000, size: 50 },
]);
const of = (...texts: string[]) => mapLines(texts.map(parseIdLine), there, 'user');

test('the ids of a user are itself and its ranges, one after the other', () => {
  assert.equal(there, [line(0, 1000, 1), line(1, 100000, 100), line(101, 300000, 50)]);
});

const maps: readonly (readonly [readonly string[], readonly IdMapping[]])[] = [
  [['0:0:1'], [line(0, 1000, 1)]],
  [['0:0'], [line(0, 1000, 1)]],
  [
    ['0:1:100', '1000:0:1'],
    [line(0, 100000, 100), line(1000, 1000, 1)],
  ],
  [['0:99:4'], [line(0, 100098, 2), line(2, 300000, 2)]],
  [['5:@300001:3'], [line(5, 300001, 3)]],
  [['+33:@1000'], [line(0, 100032, 1), line(1, 100000, 32), line(33, 1000, 1), line(34, 100033, 67), line(101, 300000, 50)]],
  [['+5000:0'], [line(1, 100000, 100), line(101, 300000, 50), line(5000, 1000, 1)]],
  [
    ['0:1:2', '+1:0'],
    [line(0, 100000, 1), line(1, 1000, 1)],
  ],
];

for (const [texts, wanted] of maps) test(`${texts.join(' ')} is understood`, () => assert.equal(of(...texts), wanted));

const refusals: readonly (readonly [readonly string[], RegExp])[] = [
  [['0:0:10', '5:20:1'], /overlaps/],
  [['0:5:1', '7:5:1'], /overlaps/],
  [['0:200:1'], /id 200 is none of yours/],
  [['0:140:20'], /id 151 is none of yours/],
  [['0:@7'], /host user id 7 is none of yours/],
];

for (const [texts, why] of refusals) {
  test(`${texts.join(' ')} is refused`, () =>
    assert.throws(
      () => of(...texts),
      (error: RootlessError) => error.code === 'IDMAP_INVALID' && why.test(error.why ?? ''),
    ));
}

for (const text of [
  '',
  '0',
  '0:',
  ':0',
  '0:0:0',
  '0:0:1:2',
  'x0:0',
  '++0:0',
  'ug0:0',
  '0:-1',
  '4294967295:0:1',
  '0:1:4294967295',
  '0:0:1 ',
  '1:@:1',
]) {
  test(`"${text}" is no line of a map`, () => assert.throws(() => parseIdLine(text), /invalid mapping/));
}

test('one kind follows the other, but for lines that are for one only', () => {
  const [all, users, groups] = ['0:0:5', 'u+9:0', 'g+7:0'].map(parseIdLine);
  if (!all || !users || !groups) throw new Error('unreachable');
  const both = (uid: MapLine[], gid: MapLine[]) => {
    const lines = bothKinds({ uid, gid }, { uid: there, gid: [] });
    return [lines.uid, lines.gid];
  };
  assert.equal(both([all, users], []), [[all, users], [all]]);
  assert.equal(both([users], []), [[users], []]);
  assert.equal(both([all], [groups]), [[all], [groups]]);
  assert.equal(both([], [all])[0], [all]);
  const same = [{ container: 5, from: 8, size: 1, host: undefined }];
  assert.equal(both([parseIdLine('5:@100007')], [])[1], same, 'the same place among the groups');
});

test('the values of --userns', () => {
  assert.equal(parseUserns('keep-id:uid=33,gid=34,size=2000'), { kind: 'keep-id', uid: 33, gid: 34, size: 2000 });
  assert.equal(parseUserns('auto:size=10,uidmapping=0:@1000:1,uidmapping=7:1'), {
    kind: 'auto',
    size: 10,
    uidmapping: [
      { container: 0, from: 1000, size: 1, host: true },
      { container: 7, from: 1, size: 1 },
    ],
  });
  for (const text of [
    'keep-id:size=0',
    'auto:uidmapping=x',
    'auto:uid=5',
    'nomap:size=5',
    'keep-id:uid=4294967295',
    'keep-id:uid=',
    'toString',
  ])
    assert.throws(() => parseUserns(text), /invalid/, text);
});

const ask = (uid: readonly string[], gid: readonly string[] = [], host = ana) =>
  chooseMapping({ kind: 'map', uid: uid.map(parseIdLine), gid: gid.map(parseIdLine) }, host);
const refused = (code: string) => (error: unknown) => error instanceof RootlessError && error.code === code;

test('a map that was asked for is never arranged anew', () => {
  const { mode, fixed, idMap } = ask(['0:0:1', '1:1:10']);
  assert.equal([mode, fixed], ['ranges', true]);
  assert.equal(idMap.gid, [line(0, 100, 1), line(1, 200000, 10)]);
});

test('the caller alone needs no range, and is emulated', () => {
  const lonely = { ...ana, subids: { uid: [], gid: [] } };
  for (const host of [ana, lonely]) {
    const { mode, idMap } = ask(['1000:0:1'], [], host);
    assert.is(mode, 'single');
    assert.equal(idMap, { uid: [line(1000, 1000, 1)], gid: [line(1000, 100, 1)] });
  }
  assert.throws(() => ask(['0:1:5'], [], lonely), refused('SUBID_MISSING'));
});

test('a map without root, or with half of the caller, is refused', () => {
  assert.throws(() => ask(['5:1:10']), refused('IDMAP_INVALID'));
  assert.throws(() => ask(['0:0:10'], ['0:1:10']), refused('IDMAP_INVALID'));
});

test('keep-id with a size has so many ids in all', () => {
  const { idMap } = chooseMapping({ kind: 'keep-id', size: 2000 }, ana);
  // The id that the caller has leaves one of the range unused.
  assert.equal(idMap.uid, [line(0, 100000, 1000), line(1000, 1000, 1), line(1001, 101001, 997), line(65534, 101998, 1)]);
});

test('ranges by name have to be the own ones', () => {
  const named = (ranges: Host['subids'], host = ana) => chooseMapping({ kind: 'named', uid: 'ana', gid: 'ana', ranges }, host);
  assert.equal(named(ana.subids).idMap.uid, [line(0, 100000, 65536)]);
  assert.throws(() => named({ uid: [], gid: [] }), refused('SUBID_MISSING'));
  assert.throws(() => named({ uid: [{ start: 900000, size: 5 }], gid: [{ start: 200000, size: 5 }] }), refused('SUBID_FOREIGN'));
  assert.is(named({ uid: [{ start: 9, size: 5 }], gid: [{ start: 9, size: 5 }] }, { ...ana, canMap: true }).idMap.uid[0]?.hostID, 9);
});

test('a slot lies beside the lines that were asked for', () => {
  const { idMap } = chooseMapping({ kind: 'auto', size: 10, uidmapping: [parseIdLine('2:@1000')] }, ana);
  assert.equal(idMap.uid, [line(0, 100000, 2), line(2, 1000, 1), line(3, 100002, 7)]);
  const next = chooseMapping({ kind: 'auto', size: 10, uidmapping: [parseIdLine('2:@1000')] }, ana, {
    uid: [{ start: 100000, size: 9 }],
    gid: [{ start: 200000, size: 9 }],
  });
  assert.is(next.idMap.uid[0]?.hostID, 100009);
});

test.run();
