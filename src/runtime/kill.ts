/** A signal to a container's program. */

import type { Paths } from '../paths.ts';
import { withLock } from './lock.ts';
import { askMonitor } from './monitor-client.ts';
import { notRunning } from './refusals.ts';
import { isActive, type Listed, readContainer } from './state.ts';
import { stopContainer } from './stop.ts';
import { monitorEnded } from './monitor-end.ts';

/** Milliseconds that SIGKILL may take to be written down. */
const patience = 5000;

/** @throws RootlessError CONTAINER_NOT_RUNNING, MONITOR_REFUSED */
export async function killContainer(paths: Paths, { id, name }: Listed, signal: number): Promise<void> {
  const found = await withLock(paths, id, () => readContainer(paths, id));
  if (found === undefined || !isActive(found)) throw notRunning(name, 'kill');
  // Between two lives there is no program to get a signal: docker takes it as the wish that there be no next one.
  if (found.status === 'restarting') return void (await stopContainer(paths, found, { timeout: 0 }));
  const answer = await askMonitor(paths, id, { op: 'kill', signal });
  if (answer === undefined) throw notRunning(name, 'kill');
  if (signal === 9 && found.life) await monitorEnded(found.life.monitor, patience);
}
