/** Tidies what containers that have ended left behind, now instead of at the next run. */

import type { Paths } from '../paths.ts';
import { asideFolder, removeTree } from './folders.ts';
import { clearLeftovers } from './leftovers.ts';
import { withLock } from './lock.ts';
import { clearMark } from './marks.ts';
import { stillRuns } from './refusals.ts';
import { isActive, type Listed, readContainer } from './state.ts';

/** @throws RootlessError CONTAINER_RUNNING */
export async function cleanupContainer(paths: Paths, { id, name }: Listed): Promise<void> {
  await withLock(paths, id, async () => {
    const found = readContainer(paths, id);
    if (found === undefined) return;
    if (isActive(found)) throw stillRuns(name, 'clean up', found.status);
    await clearLeftovers(paths, found);
    await removeTree(paths, asideFolder(paths, id), found.idMap);
    clearMark(paths, id);
  });
}
