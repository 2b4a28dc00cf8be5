/** Layout of id maps: order, holes, pins, and what the kernel refuses. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { IdMapping } from '../../src/helper.ts';
import { findSlot, layOut, maxExtents, type Pin, parseProcMap, toHost } from '../../src/userns/idmap.ts';
import type { IdRange } from '../../src/userns/ranges.ts';

const range = (start: number, size: number): IdRange => ({ start, size });
const line = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size });
const root: Pin = { container: 0, host: 1000 };

const layouts: readonly (readonly [string, Pin | undefined, readonly IdRange[], readonly IdMapping[]])[] = [
  ['root, then one range', root, [range(100000, 65536)], [line(0, 1000, 1), line(1, 100000, 65536)]],
  [
    'root, then two ranges',
    root,
    [range(100000, 65536), range(300000, 9)],
    [line(0, 1000, 1), line(1, 100000, 65536), line(65537, 300000, 9)],
  ],
  [
    'ranges that continue each other as one line',
    root,
    [range(100000, 40000), range(140000, 40000)],
    [line(0, 1000, 1), line(1, 100000, 80000)],
  ],
  ['the identity as one line', { container: 0, host: 0 }, [range(0, 0xffffffff)], [line(0, 0, 0xffffffff)]],
  [
    'the own id in the middle',
    { container: 1000, host: 1000 },
    [range(100000, 65536)],
    [line(0, 100000, 1000), line(1000, 1000, 1), line(1001, 101001, 64535)],
  ],
  [
    'an own id far beyond the range at its place',
    { container: 90000, host: 7 },
    [range(100000, 65536)],
    [line(0, 100000, 65536), line(90000, 7, 1)],
  ],
  ['an own id right behind the range', { container: 65535, host: 7 }, [range(100000, 65535)], [line(0, 100000, 65535), line(65535, 7, 1)]],
  [
    'a range that has the own id without it',
    { container: 0, host: 500 },
    [range(100, 70000)],
    [line(0, 500, 1), line(1, 100, 400), line(401, 501, 69599)],
  ],
  ['a short range with nobody at the end', root, [range(100000, 1000)], [line(0, 1000, 1), line(1, 100000, 999), line(65534, 100999, 1)]],
  ['no ranges at all', root, [], [line(0, 1000, 1)]],
  ['ranges without an own id', undefined, [range(100000, 65536)], [line(0, 100000, 65536)]],
];

for (const [name, pin, ranges, wanted] of layouts) {
  test(`a map has ${name}`, () => assert.equal(layOut(pin, ranges), wanted));
}

test('no id is mapped twice, on either side, whatever the ranges and the own id are', () => {
  for (let seed = 1; seed < 400; seed += 1) {
    const next = generator(seed);
    const ranges: IdRange[] = [];
    for (let start = next(50), left = next(6); left > 0; left -= 1) {
      const size = 1 + next(40);
      ranges.push(range(start, size));
      start += size + next(3) * next(20);
    }
    const pin = next(3) === 0 ? undefined : { container: next(120), host: next(300) };
    const map = layOut(pin, ranges);
    const inside = map.flatMap(({ containerID, size }) => Array.from({ length: size }, (_, index) => containerID + index));
    const outside = map.flatMap(({ hostID, size }) => Array.from({ length: size }, (_, index) => hostID + index));
    assert.is(new Set(inside).size, inside.length, `seed ${seed}`);
    assert.is(new Set(outside).size, outside.length, `seed ${seed}`);
    if (pin) assert.is(toHost(map, pin.container), pin.host, `seed ${seed}`);
  }
});

test('a map never has more lines than the kernel takes', () => {
  const scattered = Array.from({ length: 500 }, (_, index) => range(100000 + index * 10, 1));
  assert.is(layOut(root, scattered).length, maxExtents);
});

test('a slot is the first free run that is long enough', () => {
  const ranges = [range(100, 50), range(1000, 500)];
  assert.equal(findSlot(ranges, [], 50), range(100, 50));
  assert.equal(findSlot(ranges, [], 51), range(1000, 51));
  assert.equal(findSlot(ranges, [range(1000, 200)], 100), range(1200, 100));
  assert.is(findSlot(ranges, [range(1000, 450)], 100), undefined);
});

test("ids of our own namespace are read from the kernel's table", () => {
  assert.equal(parseProcMap('         0          0 4294967295\n'), [range(0, 0xffffffff)]);
  assert.equal(parseProcMap('0 100000 65536\n70000 5 2\n'), [range(0, 65536), range(70000, 2)]);
  assert.equal(parseProcMap(''), []);
});

test('container ids are found on the host', () => {
  const map = [line(0, 1000, 1), line(1, 100000, 10)];
  assert.is(toHost(map, 0), 1000);
  assert.is(toHost(map, 10), 100009);
  assert.is(toHost(map, 11), undefined);
});

/** A small repeatable generator: values in [0, limit). */
function generator(seed: number): (limit: number) => number {
  let state = seed * 2654435761;
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 0x100000000) * limit);
  };
}

test.run();
