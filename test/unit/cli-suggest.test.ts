/** "Did you mean": near enough to be meant, or nothing. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nearest } from '../../src/cli/suggest.ts';

const words = ['run', 'ps', 'pull', 'images', 'inspect', 'publish', 'platform', 'completion'];

for (const [typed, meant] of [
  ['rum', 'run'],
  ['rnu', 'run'],
  ['image', 'images'],
  ['imagse', 'images'],
  ['inspct', 'inspect'],
  ['pubilsh', 'publish'],
  ['comp', 'completion'],
  ['p', undefined],
  ['', undefined],
  ['xyz', undefined],
  ['constructor', undefined],
] as const) {
  test(`"${typed}" is taken for ${meant ?? 'nothing'}`, () => assert.is(nearest(typed, words), meant));
}

test.run();
