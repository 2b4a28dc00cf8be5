/** The helper's `run`, as the command line wants it. */

import type { Front } from '../front.ts';
import type { Paths } from '../paths.ts';
import { monitorPath } from './prepare.ts';
import { containerFolder } from './state.ts';

/** How the caller stands to a container. */
export type Ties = {
  /** The monitor leaves the caller once the program runs. */
  readonly detach: boolean;
  /** The program reads what the caller reads. */
  readonly input: boolean;
  /** The helper removes the container at its end. */
  readonly remove: boolean;
  /** `ctrl-p,ctrl-q`; empty = none. */
  readonly detachKeys: string | undefined;
  /** Signals to the caller are the program's, if it is not false; else they end the caller alone. */
  readonly sigProxy?: boolean | undefined;
  /** Which of the program's outputs the caller does not see. */
  readonly hidden?: { readonly stdout: boolean; readonly stderr: boolean } | undefined;
  /** So many descriptors of the caller, from 3 on, are the program's too. */
  readonly preserve?: number | undefined;
  /** Called when the program runs, and once the launch has failed. */
  readonly settled: () => void;
  /** Becomes the monitor in place of a helper of ours. */
  readonly front?: Front | undefined;
};

/** The command line of the helper's `run`. */
export function runArguments(paths: Paths, id: string, ties: Ties, more: readonly string[]): string[] {
  const folder = containerFolder(paths, id);
  const flags = [
    '--monitor',
    monitorPath(folder),
    ...(ties.remove ? ['--rm'] : []),
    ...(ties.detach ? ['--detach'] : []),
    ...(ties.preserve ? ['--preserve-fds', String(ties.preserve)] : []),
    ...(ties.sigProxy === false ? ['--no-sig-proxy'] : []),
    ...(ties.detachKeys === undefined ? [] : ['--detach-keys', ties.detachKeys]),
  ];
  return ['--root', paths.runtime, 'run', ...flags, ...more, '--bundle', folder, id];
}
