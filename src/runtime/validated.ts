/** Checks config.json against the standard before anything is started: in WebAssembly, once for each kind of launch. */

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { makeFolders, type Paths } from '../paths.ts';

/** What the embedded image is told (cli/run.ts); another in each run. */
const startTime = /ROOTLESS_STARTED_MS=[\d.]+/;

/** Configurations that are remembered, about 20 KB each, before all are forgotten. */
const most = 64;

/**
 * The first validation in a process costs 20 ms, since WebAssembly is compiled when it first runs; so a configuration that was found
 * right, and differs in nothing but the container's id, is not asked about again. The helper checks each one in any case.
 * @throws RootlessError SPEC_INVALID with the JSON path of the first problem, VALIDATOR_MISSING
 */
export async function checkConfig(paths: Paths, id: string, text: string): Promise<void> {
  const folder = join(paths.data, 'checked');
  const kind = versionOf(paths) + text.replaceAll(id, '').replaceAll(id.slice(0, 12), '').replace(startTime, '');
  const file = join(folder, nameOf(kind));
  if (recall(file) === kind) return;
  const { validate } = await import('../wasm/validate.ts');
  const problem = validate('config', text, paths).find((one) => one.level === 'error');
  if (problem) {
    throw new RootlessError({
      code: 'SPEC_INVALID',
      message: `cannot run this container: ${problem.path}: ${problem.message}`,
      why: `the OCI runtime specification says so (${problem.section})`,
    });
  }
  remember(folder, file, kind);
}

/** Sampled, since a hash of everything in cold JavaScript takes longer than reading the file: what counts is that the contents are equal. */
export function nameOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = text.length - 1; index >= 0; index -= 61) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return `${text.length}-${(hash >>> 0).toString(16)}`;
}

function remember(folder: string, file: string, kind: string): void {
  try {
    makeFolders(folder, 0o700);
    const names = readdirSync(folder);
    if (names.length >= most) for (const name of names) rmSync(join(folder, name), { force: true });
    // Half a file is not equal to anything: no need for a rename.
    writeFileSync(file, kind, { mode: 0o600 });
  } catch {
    // It saves time, and is no reason not to run.
  }
}

/** Another build has other rules. */
function versionOf({ dist }: Paths): string {
  const stat = statSync(join(dist, 'validator.wasm'), { throwIfNoEntry: false });
  return `${stat?.size}:${stat?.mtimeMs}:`;
}

function recall(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
