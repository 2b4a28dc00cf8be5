/** One check of the doctor on this machine with something broken, in namespaces of the test's own. */

import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import type { Result } from '../../src/doctor/finding.ts';
import { bin } from './checkout.ts';
import { environment } from './cli.ts';

/** Runs `SHELL; doctor --json CHECK`, or SHELL with `DOCTOR` as this program, inside what `unshare` was told to make. */
export function broken(check: string, unshare: readonly string[], shell: string, env: NodeJS.ProcessEnv = {}): Result {
  const doctor = `"${process.execPath}" -- "${bin}" doctor --json ${check}`;
  const script = shell.includes('DOCTOR') ? shell.replace('DOCTOR', doctor) : `${shell}\n${doctor}`;
  const run = spawnSync('unshare', [...unshare, 'sh', '-c', script], {
    env: { ...environment, ...env },
    encoding: 'utf8',
  });
  assert.match(run.stdout, /^\[/, `${run.stdout}${run.stderr}`);
  const [result] = JSON.parse(run.stdout) as Result[];
  assert.is(run.status, result?.status === 'bad' ? 1 : 0);
  return result as Result;
}

/** Where the test is root of its own, and mounts what it likes. */
export const own = ['-U', '-r', '-m'] as const;

/** A user without privileges in a namespace that `own` has prepared: not mapped as root, so that everything a user needs counts. */
export const asUser = 'exec unshare -U --map-user=1000 --map-group=1000 DOCTOR';
