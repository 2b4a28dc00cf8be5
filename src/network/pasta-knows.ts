/** What the pasta of this machine can do: asked once for each program, and remembered until it changes. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pastaVaries } from './pasta.ts';

type Memory = { readonly program: string; readonly mtime: number; readonly size: number; readonly options: readonly string[] };

/** Options come and go between versions, and builds of distributions do not even state one: its help is what counts. */
export function pastaKnows(program: string, runtime: string): ReadonlySet<string> {
  const file = join(runtime, 'pasta.json');
  const { mtimeMs: mtime, size } = statSync(program);
  const known = recall(file);
  if (known?.program === program && known.mtime === mtime && known.size === size) return new Set(known.options);
  const options = optionsIn(helpOf(program));
  remember(runtime, file, { program, mtime, size, options });
  return new Set(options);
}

export function optionsIn(help: string): string[] {
  return pastaVaries.filter((option) => help.includes(`--${option}`));
}

function helpOf(program: string): string {
  const run = spawnSync(program, ['--help'], { encoding: 'utf8', timeout: 10_000 });
  return `${run.stdout ?? ''}${run.stderr ?? ''}`;
}

function recall(file: string): Memory | undefined {
  try {
    const memory = JSON.parse(readFileSync(file, 'utf8')) as Partial<Memory>;
    return Array.isArray(memory.options) ? (memory as Memory) : undefined;
  } catch {
    return undefined;
  }
}

/** A folder that cannot be written to costs the question each time, and nothing else. */
function remember(runtime: string, file: string, memory: Memory): void {
  try {
    mkdirSync(runtime, { recursive: true, mode: 0o700 });
    const temporary = `${file}.${process.pid}.tmp`;
    writeFileSync(temporary, JSON.stringify(memory), { mode: 0o600 });
    renameSync(temporary, file);
  } catch {
    // See above.
  }
}
