/** How the host reads what the guest sends: output that is cut anywhere, jobs that never end, files that were not run. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

type File = { readonly stage: string; readonly name: string };
type Agent = { answerReader(nonce: string, output: (chunk: Buffer) => void, done: (status: number) => void): (chunk: Buffer) => void };
type Reader = {
  readonly take: (chunk: Buffer) => void;
  readonly rest: () => { readonly missing: readonly File[]; readonly partial: string };
};
type Suite = {
  sectionReader(files: readonly File[], ended: (file: File, output: string, status: number, took: number) => void): Reader;
};

const load = async <T>(path: string): Promise<T> => (await import(pathToFileURL(resolve(path)).href)) as T;
const { answerReader } = await load<Agent>('scripts/vm/agent.mjs');
const { sectionReader } = await load<Suite>('scripts/vm/suite.mjs');

/** The same bytes in pieces of one size. */
function pieces(text: string, size: number): Buffer[] {
  const bytes = Buffer.from(text);
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

for (const size of [1, 2, 7, 64, 1000]) {
  test(`a job's output and status come whole in pieces of ${size}`, () => {
    let seen = '';
    const ends: number[] = [];
    const take = answerReader(
      'abc',
      (chunk) => {
        seen += chunk.toString('latin1');
      },
      (status) => ends.push(status),
    );
    const output = 'one\nlab-end xyz 3\n\nlab-end ab\n';
    for (const piece of pieces(`${output}\nlab-end abc 137\n`, size)) take(piece);
    assert.is(seen, output);
    assert.equal(ends, [137]);
  });
}

test('a job that does not end is not taken for one that did', () => {
  const ends: number[] = [];
  const take = answerReader(
    'abc',
    () => undefined,
    (status) => ends.push(status),
  );
  for (const text of ['\nlab-end abd 0\n', '\nlab-end abc 13']) take(Buffer.from(text));
  assert.equal(ends, []);
});

test('each file gets its own output, status and seconds, however the stream is cut', () => {
  const files = ['one', 'two', 'three'].map((name) => ({ stage: 'vm', name }));
  const stream = [
    'noise before\n@@ begin vm/one\nfirst ü\n\n@@ end vm/one 0 12\n',
    '\n@@ begin vm/two\n@@ end vm/other 0 1\nsecond\n\n@@ end vm/two 1 3\n\n@@ begin vm/three\nhalf',
  ].join('');
  for (const size of [1, 5, 4096]) {
    const seen: unknown[] = [];
    const reader = sectionReader(files, (file, output, status, took) => seen.push([file.name, output.trim(), status, took]));
    for (const piece of pieces(stream, size)) reader.take(piece);
    assert.is(seen.length, 2);
    assert.equal(seen[0], ['one', 'first ü', 0, 12]);
    assert.is((seen[1] as unknown[])[2], 1);
    assert.equal(
      reader.rest().missing.map(({ name }) => name),
      ['three'],
    );
    assert.match(reader.rest().partial, /half/);
  }
});

test.run();
