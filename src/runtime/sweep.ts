/** Takes away what killed processes of rootless could not: containers that were to be removed, half-made ones, and their traces. */

import { lstatSync } from 'node:fs';
import type { Paths } from '../paths.ts';
import { chooseMapping } from '../userns/choose.ts';
import { readHost } from '../userns/host.ts';
import { asideFolder, removeTree } from './folders.ts';
import { clearLeftovers, forgetState } from './leftovers.ts';
import { lockContainer } from './lock.ts';
import { clearMark, leaveMark, markOf } from './marks.ts';
import { namesOf, releaseName } from './names.ts';
import { removeTraces } from './remove.ts';
import { containerFolder, isActive, readContainer } from './state.ts';
import { wreckOf } from './wreck.ts';

/** `ids`: containers whose mark names a process that is gone. One that cannot be tidied now is tried again by a later run. */
export async function sweep(paths: Paths, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    try {
      const release = await lockContainer(paths, id, undefined, 0);
      try {
        if (markOf(paths, id) === 'gone') await sweepOne(paths, id);
      } finally {
        release();
      }
    } catch {
      // Busy, or half removed by another sweep: the mark stays, so that it is seen again.
    }
  }
}

async function sweepOne(paths: Paths, id: string): Promise<void> {
  const container = readContainer(paths, id);
  if (container === undefined) return sweepNameless(paths, id);
  // Whoever started it was killed before the mark could name its monitor.
  if (container.life && isActive(container)) return leaveMark(paths, id, container.life.monitor);
  await clearLeftovers(paths, container);
  if (container.remove && container.life) return removeTraces(paths, container);
  await removeTree(paths, asideFolder(paths, id), container.idMap);
  clearMark(paths, id);
}

/** Killed before it was described, or while it was removed; or the helper has removed it. */
async function sweepNameless(paths: Paths, id: string): Promise<void> {
  await forgetState(paths, id);
  for (const folder of [containerFolder(paths, id), asideFolder(paths, id)]) {
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) continue;
    const known = wreckOf(paths, id)?.idMap;
    await removeTree(paths, folder, known && known.uid.length > 0 ? known : chooseMapping({ kind: 'host' }, readHost([])).idMap);
  }
  for (const name of namesOf(paths, id)) releaseName(paths, name, id);
  clearMark(paths, id);
}
