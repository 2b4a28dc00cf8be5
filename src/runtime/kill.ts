/** A signal to a container's program. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { withLock } from './lock.ts';
import { askMonitor } from './monitor-client.ts';
import { notRunning } from './refusals.ts';
import { isActive, type Listed, readContainer } from './state.ts';
import { stopContainer } from './stop.ts';
import { endWithoutMonitor, monitorEnded } from './monitor-end.ts';
import { hangs } from './monitor-hangs.ts';

/** Milliseconds that SIGKILL may take to be written down. */
const patience = 5000;

/** @throws RootlessError CONTAINER_NOT_RUNNING, MONITOR_REFUSED, MONITOR_HANGS */
export async function killContainer(paths: Paths, { id, name }: Listed, signal: number): Promise<void> {
  for (;;) {
    const found = await withLock(paths, id, () => readContainer(paths, id));
    if (found === undefined || !isActive(found)) throw notRunning(name, 'kill');
    // Between two lives there is no program to get a signal: docker takes it as the wish that there be no next one.
    if (found.status === 'restarting') return void (await stopContainer(paths, found, { timeout: 0 }));
    try {
      if ((await askMonitor(paths, id, { op: 'kill', signal })) === undefined) throw notRunning(name, 'kill');
      if (signal === 9 && found.life) await monitorEnded(found.life.monitor, patience);
      return;
    } catch (error) {
      if (signal === 9 && found.life && hangs(error)) return endWithoutMonitor(found.life, signal, 0);
      // Its program ended between the look and the question: it has a state by now that says what is to be done.
      if (!(error instanceof RootlessError && error.code === 'MONITOR_REFUSED') || sameLife(paths, found)) throw error;
    }
  }
}

/** It was refused for another reason than that its program ended in that moment: the same life of it goes on. */
function sameLife(paths: Paths, { id, status, life }: Listed): boolean {
  const now = readContainer(paths, id);
  return now?.status === status && now.life?.started === life?.started;
}
