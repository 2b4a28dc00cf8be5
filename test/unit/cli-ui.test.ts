/** What people read when something went wrong: three lines, no control characters, no stack unless asked for. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { paint, plain } from '../../src/cli/paint.ts';
import { describe } from '../../src/cli/ui.ts';
import { RootlessError } from '../../src/errors.ts';

process.env['NO_COLOR'] = '1';

test('an error says what happened, why, and what to do', () => {
  const error = new RootlessError({ code: 'X', message: 'cannot do "it"', why: 'because', fix: 'do that\nthen this' });
  assert.is(describe(error, false), 'rootless: cannot do "it"\n  why: because\n  fix: do that\n       then this');
});

test('lines without facts are left out', () => {
  assert.is(describe(new RootlessError({ code: 'X', message: 'no' }), false), 'rootless: no');
});

test('--debug adds the code, the stack and the causes', () => {
  const error = new RootlessError({ code: 'X', message: 'outer', cause: new Error('inner', { cause: { step: 'mount' } }) });
  const text = describe(error, true);
  assert.match(text, /\n {2}code: X\nRootlessError: outer\n {4}at /);
  assert.match(text, /\ncaused by: Error: inner\n/);
  assert.match(text, /\ncaused by: \{"step":"mount"\}$/);
});

test('an error of the system keeps its name, anything else is called a bug of ours', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  assert.is(describe(full, false), 'rootless: ENOSPC: no space left on device, write');
  const closed = Object.assign(new Error("EACCES: permission denied, open '/a b'"), { code: 'EACCES', path: '/a b', syscall: 'open' });
  assert.is(describe(closed, false), 'rootless: cannot open "/a b": permission denied');
  assert.match(describe(new TypeError('x is undefined'), false), /^rootless: internal error: x is undefined\n {2}fix: this is a bug/);
  assert.match(describe('just text', false), /internal error: just text/);
  assert.match(describe(undefined, false), /internal error: undefined/);
});

test('a hostile name cannot move the cursor, change colours, add lines or turn the text around', () => {
  const error = new RootlessError({ code: 'X', message: 'no image "a\x1b[2J\r\nrootless: fine\u202e\x9b"' });
  assert.is(describe(error, false), 'rootless: no image "a\\x1b[2J\\x0d\\nrootless: fine\\u202e\\x9b"');
});

test('text of any language passes', () => assert.is(plain('größe 東京 🙂\ttab'), 'größe 東京 🙂\ttab'));

test('NO_COLOR switches colour off', () => assert.is(paint('red', 'x'), 'x'));

test.run();
