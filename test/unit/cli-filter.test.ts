/** `--filter KEY=VALUE`: which keys there are, how several combine, and docker's patterns. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { filterParser, glob, passes } from '../../src/cli/values/filter.ts';

const parse = filterParser(['name', 'status']);

test('a filter is split at its first equals sign', () => assert.equal(parse('name=a=b'), { key: 'name', value: 'a=b' }));

for (const text of ['name', '', '=x', 'nosuch=x', 'constructor=x']) {
  test(`the filter "${text}" is refused`, () => assert.throws(() => parse(text), /filter/));
}

const facts: Record<string, string> = { name: 'web', status: 'exited' };
const matches = (key: string, value: string) => facts[key] === value;

for (const [filters, result] of [
  [[], true],
  [['name=web'], true],
  [['name=db'], false],
  [['name=db', 'name=web'], true],
  [['name=web', 'status=exited'], true],
  [['name=web', 'status=running'], false],
] as const) {
  test(`[${filters.join(' ')}] ${result ? 'lets it pass' : 'holds it back'}`, () => assert.is(passes(filters.map(parse), matches), result));
}

for (const [pattern, text, result] of [
  ['alpine', 'alpine', true],
  ['alpine', 'alpine:3', false],
  ['alpine:*', 'alpine:3.20', true],
  ['*', 'alpine', true],
  ['*', 'localhost:5000/alpine', false],
  ['*/*', 'localhost:5000/alpine', true],
  ['al?ine', 'alpine', true],
  ['[a-c]lpine', 'alpine', true],
  ['[^a]lpine', 'alpine', false],
  ['a.pine', 'alpine', false],
  ['a+(b)|c$^{1}', 'a+(b)|c$^{1}', true],
  ['\\*', '*', true],
  ['[', '[', true],
] as const) {
  test(`${pattern} ${result ? 'matches' : 'does not match'} ${text}`, () => assert.is(glob(pattern).test(text), result));
}

test.run();
