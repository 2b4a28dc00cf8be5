/** Tables of texts that a flag takes, with what they mean, and of those that it refuses. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isBadValue } from './errors.ts';

export function table<T>(name: string, parse: (text: string) => T, good: readonly (readonly [string, T])[], bad: readonly string[]): void {
  for (const [text, value] of good) test(`${name} takes "${text}"`, () => assert.equal(parse(text), value));
  for (const text of bad) test(`${name} refuses "${text}"`, () => assert.throws(() => parse(text), isBadValue));
}
