/** Ctrl-C and friends as an AbortSignal: work in progress is undone before the program leaves. */

import { RootlessError } from '../errors.ts';

const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** Runs `work` with a signal that the first of SIGINT, SIGTERM or SIGHUP aborts; then the exit code is 128 + its number. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let caught: keyof typeof signals | undefined;
  const listen = (name: NodeJS.Signals) => {
    if (name in signals) caught ??= name as keyof typeof signals;
    stop();
    controller.abort();
  };
  // The second signal finds Node's default again and ends the program at once.
  const stop = () => {
    for (const name of Object.keys(signals)) process.removeListener(name, listen);
  };
  for (const name of Object.keys(signals)) process.on(name, listen);
  try {
    return await work(controller.signal);
  } catch (cause) {
    if (caught === undefined) throw cause;
    throw new RootlessError({ code: 'INTERRUPTED', message: `interrupted by ${caught}`, exit: 128 + signals[caught], cause });
  } finally {
    stop();
  }
}
