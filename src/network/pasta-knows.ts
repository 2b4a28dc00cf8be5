/** What the pasta of this machine can do, and which of its builds is for this processor: asked once, and remembered until it changes. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pastaVaries } from './pasta.ts';
import { makeFolders } from '../paths.ts';

type Memory = {
  readonly program: string;
  readonly mtime: number;
  readonly size: number;
  readonly options: readonly string[];
  readonly build: string;
  readonly usual?: readonly string[] | undefined;
};

export type Pasta = {
  readonly knows: ReadonlySet<string>;
  readonly build: string;
  /** What serves a container of which nothing was said about networks: the helper begins the next one with it (docs/contract.md, "front"). */
  readonly usually: (argv: readonly string[]) => void;
};

/** Options come and go between versions, and builds of distributions do not even state one: its help is what counts. */
export function pastaKnows(program: string, runtime: string): Pasta {
  const file = join(runtime, 'pasta.json');
  const { mtimeMs: mtime, size } = statSync(program);
  const known = recall(file);
  const answer = (memory: Memory): Pasta => ({
    knows: new Set(memory.options),
    build: memory.build,
    usually: (argv) => {
      if (memory.usual?.join('\0') !== argv.join('\0')) remember(runtime, file, { ...memory, usual: argv });
    },
  });
  if (known?.program === program && known.mtime === mtime && known.size === size) return answer(known);
  const memory = { program, mtime, size, options: optionsIn(helpOf(program)), build: buildFor(program, processor()) };
  remember(runtime, file, memory);
  return answer(memory);
}

/** pasta becomes its build for AVX2 where there is one and the processor has that; to start that one at once saves two milliseconds. */
export function buildFor(program: string, flags: string): string {
  const better = `${program}.avx2`;
  return /\bavx2\b/.test(flags) && existsSync(better) ? better : program;
}

function processor(): string {
  try {
    return /^flags\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[0] ?? '';
  } catch {
    return '';
  }
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
    return Array.isArray(memory.options) && typeof memory.build === 'string' ? (memory as Memory) : undefined;
  } catch {
    return undefined;
  }
}

/** A folder that cannot be written to costs the question each time, and nothing else. */
function remember(runtime: string, file: string, memory: Memory): void {
  try {
    makeFolders(runtime, 0o700);
    const temporary = `${file}.${process.pid}.tmp`;
    writeFileSync(temporary, JSON.stringify(memory), { mode: 0o600 });
    renameSync(temporary, file);
  } catch {
    // See above.
  }
}
