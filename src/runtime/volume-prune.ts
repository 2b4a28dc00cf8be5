/** Removes volumes that no container has, and counts what becomes free. */

import { RootlessError } from '../errors.ts';
import { readdirSync } from 'node:fs';
import type { Paths } from '../paths.ts';
import { readHost } from '../userns/host.ts';
import { sizeOfTrees } from './tree-size.ts';
import { wholeMap } from './volume-ids.ts';
import { removeVolume, sweepVolumes } from './volume-remove.ts';
import { sweepLinks, usersOf } from './volume-claims.ts';
import { changeVolumes, listVolumes, type Volume, volumesFolder } from './volume-store.ts';

export type Pruned = { readonly removed: readonly string[]; readonly freed: number };

/** `wanted` chooses among those that no container has; one that is claimed meanwhile stays. @throws RootlessError REMOVE_FAILED */
export async function pruneVolumes(paths: Paths, searchPath: readonly string[], wanted: (volume: Volume) => boolean): Promise<Pruned> {
  const idMap = wholeMap(readHost(searchPath));
  const leftovers = await changeVolumes(paths, () => {
    sweepLinks(paths);
    return readdirSync(volumesFolder(paths)).filter((name) => name.startsWith('.gone-'));
  });
  const removed: string[] = [];
  let freed = 0;
  for (const volume of listVolumes(paths).filter((volume) => usersOf(paths, volume).length === 0 && wanted(volume))) {
    const bytes = await sizeOfTrees(paths, idMap, [volume.mountpoint]);
    try {
      await removeVolume(paths, volume.name, idMap);
    } catch (error) {
      if (error instanceof RootlessError && (error.code === 'VOLUME_IN_USE' || error.code === 'VOLUME_NOT_FOUND')) continue;
      throw error;
    }
    removed.push(volume.name);
    freed += bytes;
  }
  await sweepVolumes(paths, leftovers, idMap);
  return { removed, freed };
}
