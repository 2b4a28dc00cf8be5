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
async function outcome(code: string, source = "test('one', () => {});\n", seconds = 60, said: string[] = []): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'runner-'));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const add =
    (name: keyof Counts) =>
    (_file: string, text: unknown, count = 1) => {
      counts[name] += count;
      said.push(String(text));
    };
  const { log } = console;
  console.log = () => undefined;
  try {
    writeFileSync(join(folder, 'x.test.mjs'), code);
    writeFileSync(join(folder, 'x.test.ts'), source);
    const file = { stage: 'unit', name: 'x', source: relative('.', join(folder, 'x.test.ts')), bundle: join(folder, 'x.test.mjs') };
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

test('a file that hangs is killed and fails, with what it started', async () => {
  const said: string[] = [];
  const code = `import { spawn } from 'node:child_process'; spawn('sleep', ['4321'], { detached: true }); setInterval(() => {}, 1000);`;
  assert.equal(await outcome(code, undefined, 3, said), { passed: 0, failed: 1, skipped: 0 });
  assert.match(said.join(), /still running after 3 s; its processes.*\n.*node.*\n.*: sleep 4321/);
});

test('a test that hangs loses what it waits for, is shown, and the next one runs', async () => {
  const said: string[] = [];
  const code = `import { spawnSync } from 'node:child_process';
    process.stdout.write('• ');
    console.log('@begin 1 it waits');
    spawnSync('sleep', ['4321']);
    console.log('@end');
    ${summary(2, 1)}`;
  assert.equal(await outcome(code, undefined, 60, said), { passed: 1, failed: 1, skipped: 0 });
  assert.match(said.join(), /"it waits" is still running after 1 s; its processes.*\n {2}\d+ of \d+ S .*: sleep 4321/);
  assert.not.match(said.join(), /@begin|@end/);
});

test.run();
