/** The picture of a download: as many lines as fit, none wider than the window. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newsFor } from '../../src/cli/image-progress.ts';
import { layout } from '../../src/cli/progress.ts';
import { isUpToDate } from '../../src/cli/pull.ts';

const piece = (label: string, done: number, total: number) => ({ label, phase: 'downloading', done, total });

test('a bar shows how much of the whole is there', () => {
  const [line = ''] = layout([piece('abcdef012345', 50_000_000, 100_000_000)], 80, 24);
  assert.match(line, /^abcdef012345 {2}downloading {2}\[=+ +\] +50MB \/ 100MB$/);
  const bar = /\[(.*)\]/.exec(line)?.[1] ?? '';
  assert.is(bar.replaceAll(' ', '').length, Math.round(bar.length / 2));
});

for (const columns of [20, 40, 60, 80, 200]) {
  test(`no line is wider than a window of ${columns} columns`, () => {
    const pieces = [piece('abcdef012345', 1, 3), piece('b', 5, 0), piece('x'.repeat(60), 7, 7), piece('c', 9e12, 1e13)];
    for (const line of layout(pieces, columns, 24)) assert.ok(line.length < columns, line);
  });
}

test('more pieces than lines: those that are done give way, and the rest is counted', () => {
  const done = Array.from({ length: 30 }, (_, i) => ({ ...piece(`done${i}`, 1, 1), ended: true as const }));
  const picture = layout([...done, piece('running', 1, 2)], 80, 12);
  assert.is(picture.length, 2);
  assert.match(picture[0] ?? '', /^running/);
  assert.is(picture[1], '… 30 more');
});

test('never more lines than the window has', () => {
  const many = Array.from({ length: 50 }, (_, i) => piece(`p${i}`, 1, 2));
  assert.ok(layout(many, 80, 12).length <= 10);
});

test('a piece that is larger than promised stays at the whole', () => {
  assert.match(layout([piece('a', 20, 10)], 80, 24)[0] ?? '', /\[=+\] +10B \/ 10B$/);
});

test('an image is up to date if its name meant the same before', () => {
  const image = { name: 'a:1', id: 'sha256:1', source: 'sha256:2', manifest: {} } as unknown as Parameters<typeof isUpToDate>[1];
  const stored = (more: object) => [{ ...image, ...more }] as unknown as Parameters<typeof isUpToDate>[0];
  assert.is(isUpToDate(stored({}), image), true);
  for (const more of [{ name: 'b:1' }, { id: 'sha256:3' }, { source: 'sha256:3' }]) assert.is(isUpToDate(stored(more), image), false);
  assert.is(isUpToDate([], image), false);
});

test('a log hears of unpacking once something was fetched, a terminal always', () => {
  const log = newsFor(false);
  assert.equal([log({ kind: 'unpack' }), log({ kind: 'download' }), log({ kind: 'unpack' })], [false, true, true]);
  assert.is(newsFor(true)({ kind: 'unpack' }), true);
});

test.run();
