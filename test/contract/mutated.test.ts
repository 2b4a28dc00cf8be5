/** Documents that nobody wrote: good ones changed at random, by the thousand with FUZZ_SECONDS. All three builds have to say the same of each. */

import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { validate as rawValidate } from '../../helper-rs/pkg/rootless_web.js';
import { runSandboxed } from '../../src/wasm/sandbox.ts';
import { validate } from '../../src/wasm/validate.ts';
import { dist, helper } from '../support/checkout.ts';
import { badFixtures, goodFixtures } from './fixtures.ts';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** xorshift32: a seed is enough to see a document again. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

const strange: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1.5,
  4294967296,
  '',
  '/',
  '..',
  '\0',
  'ø\u{1f9ea}',
  'sha256:00',
  '0-4294967295',
  '1970-01-01T00:00:60Z',
  [],
  {},
  [null],
];
const pieces = [
  'null',
  '-1',
  '1e999',
  '18446744073709551616',
  '-9223372036854775809',
  '""',
  '"\\ud800"',
  '{',
  '}',
  ']',
  ',',
  '\ufeff',
  '"a":1,"a":2,',
  '0.0',
];

const seeds = [...goodFixtures(), ...badFixtures().filter(({ text }) => text.length < 10_000)];

/** One document: changed as a tree, or as text. */
function mutated(seed: number): { readonly kind: string; readonly text: string } {
  const random = new Random(seed);
  const { kind, text } = random.of(seeds);
  let document: Json | undefined;
  try {
    document = JSON.parse(text);
  } catch {
    document = undefined;
  }
  if (document !== undefined && random.below(4) > 0) {
    const box: Json[] = [document];
    for (let left = 1 + random.below(4); left > 0; left--) changeTree(box, random);
    return { kind, text: JSON.stringify(box[0]) ?? '' };
  }
  let changed = text;
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(changed.length + 1);
    const end = Math.min(changed.length, at + random.below(24));
    changed = changed.slice(0, at) + random.of([random.of(pieces), changed.slice(at, end).repeat(2), '']) + changed.slice(end);
  }
  return { kind, text: changed };
}

function changeTree(box: Json[], random: Random): void {
  let [holder, key]: [Json[] | { [name: string]: Json }, number | string] = [box, 0];
  for (;;) {
    const here: Json = (holder as { [name: string]: Json })[key] ?? null;
    const keys: string[] = typeof here === 'object' && here !== null ? Object.keys(here) : [];
    if (keys.length === 0 || random.below(5) === 0) break;
    [holder, key] = [here as { [name: string]: Json }, random.of(keys)];
  }
  const members = holder as { [name: string]: Json };
  if (random.below(5) === 0 && holder !== box) {
    if (Array.isArray(holder)) holder.splice(Number(key), random.below(2), structuredClone(members[key] ?? null));
    else delete members[key];
  } else members[key] = structuredClone(random.of(strange));
}

function check(seed: number): void {
  const { kind, text } = mutated(seed);
  const native = spawnSync(helper, ['validate', kind], { input: text });
  const say = `seed ${seed}: ${kind} ${text}`;
  assert.ok(native.status === 0 || native.status === 1, `${say}: ${native.stderr}`);
  const sandboxed = runSandboxed(['validate', kind], Buffer.from(text), { dist });
  assert.equal(
    [sandboxed.code, Buffer.from(sandboxed.stdout).toString()],
    [native.status, native.stdout.toString()],
    `wasip1 differs, ${say}`,
  );
  assert.is(`${rawValidate(kind, Buffer.from(text).toString())}\n`, native.stdout.toString(), `wasm-pack differs, ${say}`);
}

test('native, wasm-pack and wasip1 say the same of documents that were changed at random', () => {
  validate('config', '{}', { dist });
  const seconds = Number(process.env['FUZZ_SECONDS'] ?? 0);
  const [first, end] = seconds > 0 ? [Date.now() | 0, Date.now() + seconds * 1000] : [20_260_101, 0];
  let count = 0;
  for (; count < 200 || Date.now() < end; count++) check(first + count * 2);
  console.log(`${count} documents`);
});

test.run();
