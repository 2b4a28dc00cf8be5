// TypeScript's types and biome's rules over everything that is tracked.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { top } from '../setup.mjs';

export function lint(tally) {
  console.log('lint');
  one(tally, 'tsc', ['--noEmit']);
  one(tally, 'biome', ['check', '--error-on-warnings', '--max-diagnostics=50']);
}

function one(tally, name, args) {
  const begun = performance.now();
  const run = spawnSync(join(top, 'node_modules/.bin', name), args, { cwd: top, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status === 0) tally.pass(name, (performance.now() - begun) / 1000);
  else tally.fail(name, `${run.stdout}${run.stderr}${run.error ?? ''}`);
}
