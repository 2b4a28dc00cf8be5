/** Work while a container stands still, so that what is read of its files belongs together. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { askMonitor } from './monitor-client.ts';
import type { Listed } from './state.ts';

/** @param wish  true: or not at all; undefined: if it can be paused; false: as it is. @throws RootlessError CANNOT_PAUSE, and what `work` throws */
export async function whilePaused<T>(paths: Paths, container: Listed, wish: boolean | undefined, work: () => Promise<T>): Promise<T> {
  if (wish === false || container.status !== 'running') return await work();
  const paused = await pause(paths, container, wish === true);
  try {
    return await work();
  } finally {
    if (paused) await askMonitor(paths, container.id, { op: 'resume' });
  }
}

/** Pausing needs a cgroup of the container's own, which not every machine gives. */
async function pause(paths: Paths, { id, name }: Listed, must: boolean): Promise<boolean> {
  try {
    const answer = await askMonitor(paths, id, { op: 'pause' });
    if (answer !== undefined || !must) return answer !== undefined;
  } catch (cause) {
    if (!must) return false;
    const why = cause instanceof Error ? cause.message : undefined;
    throw new RootlessError({
      code: 'CANNOT_PAUSE',
      exit: 1,
      message: `cannot pause container "${name}"`,
      why,
      fix: '--pause=false',
      cause,
    });
  }
  throw new RootlessError({
    code: 'CANNOT_PAUSE',
    exit: 1,
    message: `cannot pause container "${name}"`,
    why: 'nobody answers for it',
    fix: '--pause=false',
  });
}
