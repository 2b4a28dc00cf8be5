/** The containers that a command is about: words, `--all`, `--latest`, `--filter` and `--cidfile`; and a loop that goes on after a failure. */

import { readFileSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { findContainer, latestContainer, type Listed, listContainers } from '../runtime/state.ts';
import { print } from './output.ts';
import { BadValue } from './values/bad.ts';

/** Flags that choose containers. */
export const choosing = {
  latest: { type: 'boolean', alias: 'l', description: 'the newest one' },
  cidfile: { type: 'string', valueHint: 'FILE', repeat: true, description: 'the one whose id is in FILE' },
} as const;

/** Read when it is needed: few lines have one, and what it takes to judge one is not small. */
export const filterFlag = {
  type: 'string',
  alias: 'f',
  valueHint: 'KEY=VALUE',
  repeat: true,
  description: 'those that fit: name=, status=, label=, ancestor=, …',
} as const;

/** What was typed for it, and what it is. */
export type Target = { readonly typed: string; readonly container: Listed };

export type Choice = {
  readonly command: string;
  readonly args: readonly string[];
  /** Of all containers, which does `--all` mean? undefined: it was not given. */
  readonly all?: ((container: Listed) => boolean) | undefined;
  readonly latest?: boolean;
  readonly filter?: readonly string[];
  /** Files that hold an id. */
  readonly cidfile?: readonly string[];
  /** A container that is not there is left out. */
  readonly ignore?: boolean;
};

/** A container, or a failure to find one: the others are served all the same. */
export type Chosen = Target | Result | Error;

export async function chooseContainers(paths: Paths, choice: Choice): Promise<Chosen[]> {
  const { args, all, latest = false, filter = [], cidfile = [], ignore = false } = choice;
  const named = [...args, ...cidfile.flatMap((file) => readCidfile(file, ignore))];
  checkWords(choice, named);
  if (latest) return [target(latestContainer(paths))];
  if (all === undefined && filter.length === 0) return named.flatMap((typed) => look(paths, typed, ignore));
  const wanted = filter.length > 0 ? await byFilter(paths, filter) : () => true;
  return listContainers(paths)
    .filter((container) => wanted(container) && (all === undefined || all(container)))
    .map(target);
}

/**
 * Serves them, some at a time, and prints for each that worked what was typed, or the text that `work` gives, in the order of the words.
 * @returns the exit code
 */
export async function serve(
  targets: readonly Chosen[],
  atOnce: number,
  debug: boolean,
  work: (container: Listed) => Promise<unknown>,
): Promise<number> {
  const limited = limiter(atOnce);
  const results = targets.map((target) => limited(() => outcome(target, work)));
  let code = 0;
  for (const result of results) {
    const done = await result;
    if ('error' in done) code = await report(done.error, debug);
    else if (done.text !== '') print(`${done.text}\n`);
  }
  return code;
}

/** At most so many at once, begun in order. */
function limiter(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}

export function isTarget(chosen: Chosen): chosen is Target {
  return 'container' in chosen;
}

/** What is printed, or why not. */
export type Result = { readonly text: string } | { readonly error: unknown };

async function outcome(chosen: Chosen, work: (container: Listed) => Promise<unknown>): Promise<Result> {
  if (chosen instanceof Error) return { error: chosen };
  if (!isTarget(chosen)) return chosen;
  try {
    const text = await work(chosen.container);
    return { text: typeof text === 'string' ? text : chosen.typed };
  } catch (error) {
    return { error };
  }
}

async function report(error: unknown, debug: boolean): Promise<number> {
  const ui = await import('./ui.ts');
  return ui.report(error, debug);
}

function look(paths: Paths, typed: string, ignore: boolean): Chosen[] {
  try {
    return [{ typed, container: findContainer(paths, typed) }];
  } catch (error) {
    const missing = error instanceof RootlessError && error.code === 'CONTAINER_NOT_FOUND';
    if (!(error instanceof Error)) throw error;
    return missing && ignore ? [] : [error];
  }
}

function target(container: Listed): Target {
  return { typed: container.id.slice(0, 12), container };
}

async function byFilter(paths: Paths, texts: readonly string[]): Promise<(container: Listed) => boolean> {
  const { containerFilter, parseContainerFilter } = await import('./container-filter.ts');
  const { ancestry } = await import('./container-images.ts');
  const filters = texts.map((text) => {
    try {
      return parseContainerFilter(text);
    } catch (cause) {
      if (!(cause instanceof BadValue)) throw cause;
      const message = `invalid argument "${text}" for "--filter" flag: ${cause.message}`;
      throw new RootlessError({ code: 'FLAG_VALUE_INVALID', message, why: cause.why, fix: cause.fix, cause });
    }
  });
  return containerFilter(filters, { paths, now: Date.now(), isMadeFrom: ancestry(paths) });
}

function readCidfile(file: string, ignore: boolean): string[] {
  try {
    return [readFileSync(file, 'utf8').split('\n', 1)[0]?.trim() ?? ''];
  } catch (cause) {
    if (ignore && (cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new RootlessError({
      code: 'CIDFILE_UNREADABLE',
      message: `cannot read container id file "${file}": ${(cause as NodeJS.ErrnoException).code}`,
      cause,
    });
  }
}

function checkWords({ command, all, latest, filter = [], args, cidfile = [] }: Choice, named: readonly string[]): void {
  const instead = [all && '--all', latest && '--latest', filter.length > 0 && '--filter'].filter((word) => typeof word === 'string');
  if (named.length > 0 && instead.length > 0) {
    throw new RootlessError({
      code: 'FLAGS_CONFLICT',
      message: `${instead[0]} and names of containers cannot be used together`,
      fix: `rootless ${command} ${instead[0]}, or rootless ${command} CONTAINER [CONTAINER...]`,
    });
  }
  if (args.length > 0 || cidfile.length > 0 || instead.length > 0) return;
  throw new RootlessError({
    code: 'ARGUMENTS_WRONG',
    message: `"rootless ${command}" requires at least 1 argument`,
    fix: `rootless ${command} CONTAINER [CONTAINER...]`,
  });
}
