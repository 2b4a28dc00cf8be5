/** Programs are looked for in a PATH that may hold anything. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findProgram, searchPath } from '../../src/programs.ts';

test('only absolute folders of PATH count', () => {
  assert.equal(searchPath({ PATH: '/a:.::b:/c' }), ['/a', '/c']);
  assert.equal(searchPath({}), []);
});

test('a program is a file that may be executed; entries of PATH that are no folders are passed over', () => {
  const folder = mkdtempSync(join(tmpdir(), 'programs-'));
  try {
    const at = (path: string) => join(folder, path);
    for (const name of ['1', '2', '3']) mkdirSync(at(name));
    writeFileSync(at('file'), '');
    mkdirSync(at('1/no-such-tool'));
    writeFileSync(at('2/no-such-tool'), '', { mode: 0o644 });
    writeFileSync(at('3/no-such-tool'), '');
    chmodSync(at('3/no-such-tool'), 0o755);
    const path = [at('file'), at('missing'), at('1'), at('2'), at('3')];
    assert.is(findProgram('no-such-tool', path), at('3/no-such-tool'));
    assert.is(findProgram('no-such-tool', path.slice(0, 4)), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
