/** A monitor that does not answer: found out by looking at its process, and said with what helps. */

import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { isStopped } from '../liveness.ts';
import type { Paths } from '../paths.ts';
import { readLife } from './status.ts';

/** Milliseconds between looks; one that is stopped at two of them in a row is not just being looked at by a debugger. */
const interval = 1000;

export type Patience = {
  /** Milliseconds for an answer, however busy the monitor is; without it only one that is stopped is given up. */
  readonly limit?: number | undefined;
};

/** Rejects once nothing is to be hoped for. Disposing ends the looking. @throws RootlessError MONITOR_HANGS */
export function watchMonitor(paths: Paths, id: string, { limit }: Patience): { readonly hangs: Promise<never> } & Disposable {
  let timer: NodeJS.Timeout | undefined;
  const begun = performance.now();
  const hangs = new Promise<never>((_resolve, reject) => {
    let before = false;
    timer = setInterval(() => {
      const pid = readLife(join(paths.data, 'containers', id))?.monitor.pid;
      const now = pid !== undefined && isStopped(pid);
      const late = limit !== undefined && performance.now() - begun > limit;
      if ((before && now) || late) reject(monitorHangs(id, pid, now));
      before = now;
    }, interval);
  });
  return { hangs, [Symbol.dispose]: () => clearInterval(timer) };
}

export function monitorHangs(id: string, pid: number | undefined, stopped: boolean): RootlessError {
  return new RootlessError({
    code: 'MONITOR_HANGS',
    message: `the monitor of container ${id.slice(0, 12)} does not answer`,
    why: pid === undefined ? undefined : `its process ${pid} ${stopped ? 'is stopped' : 'is busy with something else'}`,
    fix: stopped ? `kill -CONT ${pid}` : `rootless rm -f ${id.slice(0, 12)}`,
  });
}

export function hangs(error: unknown): boolean {
  return error instanceof RootlessError && error.code === 'MONITOR_HANGS';
}
