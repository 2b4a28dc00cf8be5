/** Rules about the repository itself: tests that cannot be forgotten, files without a machine's traces, packages without hosts. */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && existsSync(path));
const tests = tracked.filter((path) => path.endsWith('.test.ts'));
const read = (path: string) => readFileSync(path, 'utf8');

test('every test file is where the runner looks', () => {
  assert.equal(
    tests.filter((path) => !/^test\/(unit|contract|live|vm)\/[^/]+\.test\.ts$/.test(path)),
    [],
  );
  assert.ok(tests.length > 5);
});

test('every test file registers tests at its top level or in a table, and runs them', () => {
  const silent = tests.filter((path) => !/^(test|live)\.run\(\);$/m.test(read(path)));
  assert.equal(silent, []);
  assert.equal(
    tests.filter((path) => !/^\s*(test|live)\(/m.test(read(path))),
    [],
  );
});

test('no test is singled out, skipped by hand, or hooked', () => {
  const hooks = /\b(test|live)\.(only|skip|before|after)\b/;
  const self = 'test/unit/house.test.ts';
  assert.equal(
    tests.filter((path) => path !== self && hooks.test(read(path))),
    [],
  );
});

test('no tracked file has a path of one machine', () => {
  const home = ['work', 'farm', 'root'].join('|');
  const pattern = new RegExp(`(^|[^A-Za-z0-9_.$}/-])/(${home})/[a-z.]`);
  const own = ['passwd', '/root/.', "'/root", '"/root', ':/root'];
  const wrong = tracked
    .filter((path) => path !== 'package-lock.json' && !path.endsWith('.lock') && !path.endsWith('.snap'))
    .flatMap((path) =>
      read(path)
        .split('\n')
        .map((line, index) => ({ path, line, number: index + 1 })),
    )
    .filter(({ line }) => pattern.test(line) && !own.some((word) => line.includes(word)));
  assert.equal(
    wrong.map(({ path, number, line }) => `${path}:${number}: ${line.trim()}`),
    [],
  );
});

test('the lock file names no host', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { resolved?: string; integrity?: string; os?: string[] }>;
  };
  const entries = Object.entries(lock.packages).filter(([path]) => path !== '');
  assert.equal(
    entries.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path),
    [],
  );
  assert.equal(
    entries.filter(([, entry]) => entry.integrity === undefined && entry.os === undefined).map(([path]) => path),
    [],
  );
});

test('nothing is marked as unfinished', () => {
  const marks = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'unimplement' + 'ed!', 'todo' + '!'].join('|'));
  const wrong = tracked.filter((path) => /\.(ts|rs|mjs|sh)$/.test(path) && marks.test(read(path)));
  assert.equal(wrong, []);
});

test('files in src/ begin by saying what they are for', () => {
  const silent = tracked.filter((path) => /^src\/.*\.ts$/.test(path) && !/^(#!.*\n)?(\/\*\*|\/\/)/.test(read(path)));
  assert.equal(silent, []);
});

test.run();
