/** Folders of a container beside its own, and how trees that hold files of mapped ids are removed. */

import { lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { IdMap } from '../helper.ts';
import type { Paths } from '../paths.ts';

/** Takes what `host:` cannot store in the container's own folder. */
export const asideFolder = (paths: Paths, id: string): string => join(paths.runtime, 'aside', id);

/** @throws RootlessError REMOVE_FAILED */
export async function removeTree(paths: Paths, folder: string, idMap: IdMap): Promise<void> {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return;
  try {
    rmSync(folder, { recursive: true });
    return;
  } catch {
    // Files of mapped ids: only inside the mapping may they be removed.
  }
  const { removeTrees } = await import('../image/unpack.ts');
  await removeTrees(paths, idMap, [folder]);
}
