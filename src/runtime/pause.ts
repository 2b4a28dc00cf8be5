/** Freezes a container, and lets it go on. */

import type { Paths } from '../paths.ts';
import { withLock } from './lock.ts';
import { askMonitor } from './monitor-client.ts';
import { isPaused, notPaused, notRunning } from './refusals.ts';
import { type Listed, readContainer } from './state.ts';

/** @throws RootlessError CONTAINER_PAUSED when it is already, CONTAINER_NOT_RUNNING, MONITOR_REFUSED */
export function pauseContainer(paths: Paths, container: Listed): Promise<void> {
  return change(paths, container, 'pause');
}

/** @throws RootlessError CONTAINER_NOT_PAUSED, MONITOR_REFUSED */
export function unpauseContainer(paths: Paths, container: Listed): Promise<void> {
  return change(paths, container, 'resume');
}

async function change(paths: Paths, { id, name }: Listed, op: 'pause' | 'resume'): Promise<void> {
  await withLock(paths, id, async () => {
    const status = readContainer(paths, id)?.status;
    if (op === 'resume' && status !== 'paused') throw notPaused(name);
    if (status === 'paused' && op === 'pause') throw isPaused(name, 'pause');
    if (status !== 'running' && op === 'pause') throw notRunning(name, 'pause');
    if ((await askMonitor(paths, id, { op })) === undefined) throw notRunning(name, op === 'pause' ? 'pause' : 'unpause');
  });
}
