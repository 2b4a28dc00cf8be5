/** Maps that are arranged anew for ids beyond them. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { IdMapping } from '../../src/helper.ts';
import { layOut, maxExtents, toHost } from '../../src/userns/idmap.ts';
import { isMap, widen } from '../../src/userns/widen.ts';

const line = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size });
const range = (start: number, size = 1) => ({ start, size });
const usual = layOut({ container: 0, host: 1000 }, [range(100000, 65536)]);

const map = (found: ReturnType<typeof widen>): readonly IdMapping[] => {
  if (!isMap(found)) throw new Error(JSON.stringify(found));
  return found;
};

test('a map that has all ids stays the very same', () => {
  assert.is(widen(usual, [range(0), range(33), range(65536)], 1000), usual);
});

test('high ids take the place of the highest that nobody needs', () => {
  const needs = [range(0), range(65534), range(65536), range(100_000), range(2 ** 32 - 2)];
  assert.equal(map(widen(usual, needs, 1000)), [
    line(0, 1000, 1),
    line(1, 100000, 65532),
    line(65534, 165533, 1),
    line(65536, 165535, 1),
    line(100_000, 165532, 1),
    line(2 ** 32 - 2, 165534, 1),
  ]);
});

test('the own id stays where it is, also as the highest', () => {
  const kept = layOut({ container: 5000, host: 1000 }, [range(100000, 10)]);
  const wider = map(widen(kept, [range(7), range(70000)], 1000));
  assert.is(toHost(wider, 5000), 1000);
  assert.is(toHost(wider, 0), 100000);
  assert.ok(toHost(wider, 70000) !== undefined && toHost(wider, 7) !== undefined);
});

test('low ids keep their host ids, so that layers with only those can be shared', () => {
  const wider = map(widen(usual, [range(1_000_000, 500)], 1000));
  for (const id of [0, 1, 33, 1000, 65000]) assert.is(toHost(wider, id), toHost(usual, id));
});

test('no id is lost or used twice, whatever is asked for', () => {
  for (let seed = 1; seed < 200; seed += 1) {
    let state = seed;
    const next = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state % below;
    };
    const small = layOut(next(2) ? { container: next(3) * 50, host: 7 } : undefined, [
      range(100, 1 + next(400)),
      range(9000, next(90) + 1),
    ]);
    const needs = Array.from({ length: next(40) }, () => range(next(100_000), 1 + next(4)));
    const found = widen(small, needs, 7);
    if (!isMap(found)) continue;
    const ids = (side: 'containerID' | 'hostID') =>
      found.flatMap((extent) => Array.from({ length: extent.size }, (_, at) => extent[side] + at)).sort((a, b) => a - b);
    const hosts = small.flatMap(({ hostID, size }) => Array.from({ length: size }, (_, at) => hostID + at)).sort((a, b) => a - b);
    assert.equal(ids('hostID'), hosts, `seed ${seed}`);
    assert.is(new Set(ids('containerID')).size, hosts.length);
    for (const { start, size } of needs) for (let id = start; id < start + size; id += 1) assert.ok(toHost(found, id) !== undefined);
    assert.is(toHost(found, 0) === undefined, toHost(small, 0) === undefined);
  }
});

test('more ids than the range has places are counted', () => {
  assert.equal(widen(layOut(undefined, [range(100, 50)]), [range(1000, 60)], 7), { kind: 'ids', wanted: 60, there: 50 });
});

test('ids that lie too far apart for the lines of a map are mapped with those between them', () => {
  const needs = Array.from({ length: 400 }, (_, at) => range(100_000 + at * 3));
  const found = map(widen(usual, needs, 1000));
  assert.ok(found.length <= maxExtents);
  assert.ok(found.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('').length < 4096);
  for (const { start } of needs) assert.ok(toHost(found, start) !== undefined);
});

test('ids that lie too far apart for that as well are refused', () => {
  const needs = Array.from({ length: 400 }, (_, at) => range(100_000 + at * 100_000));
  assert.equal(widen(usual, needs, 1000), { kind: 'lines', wanted: 400 });
});

test.run();
