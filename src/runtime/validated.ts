/** Checks config.json against the standard before anything is started: in WebAssembly, once for each kind of launch. */

import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';

/** Bytes of `$DATA/validated`, 17 a configuration, after which it begins anew. */
const memory = 64 * 1024;

/**
 * The first validation in a process costs 20 ms, since WebAssembly is compiled when it first runs; so a configuration that was found
 * right, and differs in nothing but the container's id, is not asked about again. The helper checks each one in any case.
 * @throws RootlessError SPEC_INVALID with the JSON path of the first problem, VALIDATOR_MISSING
 */
export async function checkConfig(paths: Paths, id: string, text: string): Promise<void> {
  const file = join(paths.data, 'validated');
  const key = fingerprint(`${versionOf(paths)}${text.replaceAll(id, '').replaceAll(id.slice(0, 12), '')}`);
  const known = recall(file);
  if (known.includes(key)) return;
  const { validate } = await import('../wasm/validate.ts');
  const problem = validate('config', text, paths).find((one) => one.level === 'error');
  if (problem) {
    throw new RootlessError({
      code: 'SPEC_INVALID',
      message: `cannot run this container: ${problem.path}: ${problem.message}`,
      why: `the OCI runtime specification says so (${problem.section})`,
    });
  }
  if (known.length > memory) writeFileSync(file, `${key}\n`);
  else appendFileSync(file, `${key}\n`);
}

/** 16 hex digits: two FNV-1a hashes of 32 bits with different beginnings. Whoever could make two texts meet could as well edit the file. */
export function fingerprint(text: string): string {
  let [one, other] = [0x811c9dc5, 0x01000193];
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    one = Math.imul(one ^ unit, 0x01000193);
    other = Math.imul(other ^ unit, 0x85ebca6b) + index;
  }
  return [one, other].map((hash) => (hash >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Another build has other rules. */
function versionOf({ dist }: Paths): string {
  const stat = statSync(join(dist, 'validator.wasm'), { throwIfNoEntry: false });
  return `${stat?.size}:${stat?.mtimeMs}:`;
}

function recall(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
