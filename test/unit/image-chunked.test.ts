/** zstd:chunked: where the table of contents stands, what is in it, and how a blob is put together from what is known. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { parseTable, planStretches, tablePlace } from '../../src/image/chunked.ts';
import type { Descriptor } from '../../src/image/manifest.ts';
import { parseDigest } from '../../src/image/digest.ts';

const hex = 'ab'.repeat(32);

function layer(annotations: Readonly<Record<string, string>>, size = 10_000_000): Descriptor {
  const digest = parseDigest(`sha256:${hex}`);
  if (digest === undefined) throw new Error('no digest');
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest, size, platform: undefined, annotations };
}

const named = (prefix: string, position: string, checksum = `sha256:${hex}`) =>
  layer({ [`${prefix}.manifest-position`]: position, [`${prefix}.manifest-checksum`]: checksum });

test('the table is found under its name of today and that of older tools', () => {
  for (const prefix of ['io.github.containers.zstd-chunked', 'io.containers.zstd-chunked']) {
    const place = tablePlace(named(prefix, '100:50:400:1'));
    assert.equal(place && [place.start, place.length, place.plain], [100, 50, 400]);
  }
});

test('a table that lies outside of the blob, is too large or of another kind is none', () => {
  const prefix = 'io.github.containers.zstd-chunked';
  for (const position of ['9999990:50:400:1', '1:2:3', '1:2:900000000:1', '1:2:3:2', '-1:2:3:1', 'x', '1:2:3:1:']) {
    assert.is(tablePlace(named(prefix, position)), undefined, position);
  }
  assert.is(tablePlace(named(prefix, '1:2:3:1', 'md5:1')), undefined);
  assert.is(tablePlace(layer({})), undefined);
});

const table = (entries: readonly object[]) => JSON.stringify({ version: 1, entries });

test('files and their chunks are pieces with the ends that the table gives them', () => {
  const text = table([
    { type: 'dir', name: 'd/' },
    { type: 'reg', name: 'one', digest: 'sha256:1', offset: 10, endOffset: 110 },
    { type: 'reg', name: 'empty', digest: 'sha256:0' },
    { type: 'reg', name: 'big', digest: 'sha256:b', chunkDigest: 'sha256:b1', offset: 200, endOffset: 500 },
    { type: 'chunk', name: 'big', chunkDigest: 'sha256:b2', offset: 300 },
    { type: 'chunk', name: 'big', chunkDigest: 'sha256:b3', offset: 450 },
    { type: 'symlink', name: 'l', linkName: 'one' },
  ]);
  assert.equal(parseTable(text, 1000), [
    { key: 'sha256:1:100', start: 10, end: 110 },
    { key: 'sha256:b1:100', start: 200, end: 300 },
    { key: 'sha256:b2:150', start: 300, end: 450 },
    { key: 'sha256:b3:50', start: 450, end: 500 },
  ]);
});

test('pieces that overlap, run backwards or lie beyond the blob are left out', () => {
  const text = table([
    { type: 'reg', digest: 'sha256:1', offset: 10, endOffset: 110 },
    { type: 'reg', digest: 'sha256:2', offset: 50, endOffset: 120 },
    { type: 'reg', digest: 'sha256:3', offset: 200, endOffset: 100 },
    { type: 'reg', digest: 'sha256:4', offset: 900, endOffset: 1100 },
  ]);
  assert.equal(
    parseTable(text, 1000).map(({ key }) => key),
    ['sha256:1:100'],
  );
  for (const bad of ['', '[]', '{"entries": 1}', '{"entries": [1]}', '{"entries": [{"type": "reg", "offset": -1, "digest": "x"}]}']) {
    assert.throws(
      () => parseTable(bad, 1000),
      (error: unknown) => error instanceof RootlessError,
    );
  }
});

const piece = (name: string, start: number, end: number) => ({ key: name, start, end });

test('what is known comes from here, the rest in as few parts as possible', () => {
  const pieces = [piece('a', 100, 100_100), piece('small', 100_200, 100_300), piece('b', 200_000, 400_000)];
  const known = new Map([
    ['a', { file: '/x', start: 7 }],
    ['small', { file: '/x', start: 9 }],
    ['b', { file: '/y', start: 0 }],
  ]);
  assert.equal(planStretches(pieces, known, 500_000), [
    { start: 0, end: 100, from: undefined },
    { start: 100, end: 100_100, from: { file: '/x', start: 7 } },
    { start: 100_100, end: 200_000, from: undefined },
    { start: 200_000, end: 400_000, from: { file: '/y', start: 0 } },
    { start: 400_000, end: 500_000, from: undefined },
  ]);
});

test('a layer of which little is known is fetched whole', () => {
  assert.is(planStretches([piece('a', 0, 100_000)], new Map([['a', { file: '/x', start: 0 }]]), 10_000_000), undefined);
  assert.is(planStretches([], new Map(), 100), undefined);
});

test.run();
