/** Ctrl-C and friends as an AbortSignal: work in progress is undone before the program leaves. */

import { RootlessError } from '../errors.ts';

const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
type Name = keyof typeof signals;
const names = Object.keys(signals) as Name[];

/**
 * Runs `work` with a signal that the first of SIGINT, SIGTERM or SIGHUP aborts; then the exit code is 128 + its number.
 * The second one finds Node's default again and ends the program at once. `release` stops listening.
 */
export async function interruptible<T>(work: (signal: AbortSignal, release: () => void) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let caught: Name | undefined;
  const listen = (name: NodeJS.Signals) => {
    caught = names.find((one) => one === name);
    release();
    controller.abort();
  };
  const release = () => {
    for (const name of names) process.removeListener(name, listen);
  };
  for (const name of names) process.on(name, listen);
  try {
    return await work(controller.signal, release);
  } catch (cause) {
    if (caught === undefined) throw cause;
    leaveSoon(caught);
    throw new RootlessError({ code: 'INTERRUPTED', message: `interrupted by ${caught}`, exit: 128 + signals[caught], cause });
  } finally {
    release();
  }
}

/** Everything is undone. What waits in the kernel for ever, such as for the writer of a fifo, would keep this process from its end. */
function leaveSoon(name: Name): void {
  setTimeout(() => process.kill(process.pid, name), 1000).unref();
}
