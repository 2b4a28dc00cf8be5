/** Which mappings give the files of a layer the same ids. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Owners } from '../../src/image/layers.ts';
import { agree, mergeOwners } from '../../src/image/owners.ts';
import { layOut } from '../../src/userns/idmap.ts';

const both = (pin: number | undefined, start = 100000) => {
  const map = layOut(pin === undefined ? undefined : { container: pin, host: 1000 }, [{ start, size: 65536 }]);
  return { uid: map, gid: map };
};
const of = (...ids: number[]): Owners => ({ uid: ids.map((id) => [id, 1]), gid: [] });

const table: readonly (readonly [string, ReturnType<typeof both>, ReturnType<typeof both>, Owners, boolean])[] = [
  ['the same map', both(0), both(0), of(0, 33, 65534), true],
  ['two users that keep their ids, for files of others', both(1000), both(33), of(0, 7, 34, 2000), true],
  ['two users that keep their ids, for a file of one of them', both(1000), both(33), of(0, 33), false],
  ['a user that keeps its id and nobody of this machine', both(1000), both(undefined), of(0, 33), true],
  ['root as the caller and root as somebody else', both(0), both(1000), of(), false],
  ['other ranges', both(1000), both(1000, 200000), of(5), false],
  ['an owner that one of them has not', both(1000), both(1000), of(70000), false],
];

for (const [name, one, other, owners, wanted] of table) {
  test(`${name}: ${wanted ? 'one copy' : 'two copies'}`, () => {
    assert.is(agree(one, other, owners), wanted);
    assert.is(agree(other, one, owners), wanted);
  });
}

test('runs of several layers are one list', () => {
  const one: Owners = {
    uid: [
      [0, 3],
      [1000, 1],
    ],
    gid: [[5, 5]],
  };
  const other: Owners = {
    uid: [
      [2, 4],
      [1001, 2],
    ],
    gid: [],
  };
  assert.equal(mergeOwners([one, other]), {
    uid: [
      [0, 6],
      [1000, 3],
    ],
    gid: [[5, 5]],
  });
});

test.run();
