/** The test runner itself: a file that ends early, hangs, forgets `.run()` or fails must never count as passed. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

type Counts = { passed: number; failed: number; skipped: number };
type File = { readonly stage: string; readonly name: string; readonly source: string; readonly bundle: string };
type Runner = { runFiles(tally: object, files: readonly File[], options: { readonly seconds: number }): Promise<void> };

const { runFiles } = (await import(pathToFileURL(resolve('scripts/test/files.mjs')).href)) as Runner;

/** Runs JavaScript as if it were the bundle of a test file with this source. */
async function outcome(code: string, source = "test('one', () => {});\n", seconds = 10): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'runner-'));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const add =
    (name: keyof Counts) =>
    (_file: string, _text: unknown, count = 1) => {
      counts[name] += count;
    };
  const { log } = console;
  console.log = () => undefined;
  try {
    writeFileSync(join(folder, 'x.mjs'), code);
    writeFileSync(join(folder, 'x.test.ts'), source);
    const file = { stage: 'unit', name: 'x', source: relative('.', join(folder, 'x.test.ts')), bundle: join(folder, 'x.mjs') };
    await runFiles({ pass: add('passed'), fail: add('failed'), skip: add('skipped') }, [file], { seconds });
  } finally {
    console.log = log;
    rmSync(folder, { recursive: true });
  }
  return counts;
}

const summary = (total: number, passed: number, skipped = 0) =>
  `console.log('\\n  Total:     ${total}\\n  Passed:    ${passed}\\n  Skipped:   ${skipped}\\n  Duration:  1ms\\n');`;

for (const [name, code, expected] of [
  ['a file that passes is counted', summary(3, 3), { passed: 3, failed: 0, skipped: 0 }],
  ['a failing test fails, and the others still count', `${summary(3, 2)} process.exitCode = 1;`, { passed: 2, failed: 1, skipped: 0 }],
  ['skips are counted apart', summary(2, 2, 1), { passed: 2, failed: 0, skipped: 1 }],
  ['a file without a summary fails', '', { passed: 0, failed: 1, skipped: 0 }],
  ['a crash fails', 'throw new Error("x");', { passed: 0, failed: 1, skipped: 0 }],
  ['an exit before the end fails', 'process.exit(0);', { passed: 0, failed: 1, skipped: 0 }],
  ['a bad exit code after a good summary fails', `${summary(1, 1)} process.exitCode = 3;`, { passed: 0, failed: 1, skipped: 0 }],
  ['no test at all fails', summary(0, 0), { passed: 0, failed: 1, skipped: 0 }],
] as const) {
  test(name, async () => {
    assert.equal(await outcome(code), expected);
  });
}

test('fewer tests than the source registers fail', async () => {
  assert.equal(await outcome(summary(1, 1), "test('one', f);\ntest('two', f);\n"), { passed: 0, failed: 1, skipped: 0 });
});

test('a file that hangs is killed and fails', async () => {
  assert.equal(await outcome('setInterval(() => {}, 1000);', undefined, 0.3), { passed: 0, failed: 1, skipped: 0 });
});

test.run();
