/** A container's log, printed by the helper: whatever driver wrote it, also when container and monitor are gone. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { type HelperFailure, startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { containerFolder, type Listed } from './state.ts';

export type LogWish = {
  readonly follow: boolean;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Lines; undefined = all. */
  readonly tail?: number | undefined;
  readonly timestamps: boolean;
  readonly details: boolean;
};

const passed = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Prints to this process's own streams; `prefix` stands before every line.
 * @returns the exit code: 141 when nobody reads any more
 * @throws RootlessError LOG_NOT_READABLE, LOG_FAILED
 */
export async function printLog(paths: Paths, container: Listed, wish: LogWish, prefix = ''): Promise<number> {
  const monitor = join(containerFolder(paths, container.id), 'monitor.json');
  // A container that was never launched has said nothing, and nothing describes its log yet.
  if (!existsSync(monitor) && !wish.follow) return 0;
  const flags = [
    ...(wish.follow ? ['--follow'] : []),
    ...(wish.since === undefined ? [] : ['--since', seconds(wish.since)]),
    ...(wish.until === undefined ? [] : ['--until', seconds(wish.until)]),
    ...(wish.tail === undefined ? [] : ['--tail', String(wish.tail)]),
    ...(wish.timestamps ? ['--timestamps'] : []),
    ...(wish.details ? ['--details'] : []),
    ...(prefix === '' ? [] : ['--prefix', prefix]),
  ];
  // Before there is a helper to pass them to: it prints at once, and whoever reads may interrupt us at the first line.
  let kill = (_name: NodeJS.Signals): void => undefined;
  const pass = (name: NodeJS.Signals) => kill(name);
  for (const name of passed) process.on(name, pass);
  try {
    const { child, done } = startHelper(paths, ['log', ...flags, '--monitor', monitor], ['ignore', 'inherit', 'inherit']);
    kill = (name) => void child.kill(name);
    const { code, failure } = await done;
    if (failure) throw explained(failure, container);
    return code;
  } finally {
    for (const name of passed) process.removeListener(name, pass);
  }
}

/** Whole milliseconds and no exponent. */
function seconds(time: number): string {
  return (Math.trunc(time) / 1000).toFixed(3);
}

function explained({ message, errno, target }: HelperFailure, { name }: Listed): RootlessError {
  if (message?.startsWith('the log driver is none')) {
    return new RootlessError({
      code: 'LOG_NOT_READABLE',
      message: `container "${name}": configured logging driver does not support reading`,
      why: 'it was made with --log-driver none, which keeps nothing',
      exit: 1,
    });
  }
  const what = [target && `"${target}"`, errno, message].filter(Boolean).join(': ');
  return new RootlessError({ code: 'LOG_FAILED', message: `cannot read the log of container "${name}": ${what}` });
}
