/** One copy of a layer for several mappings: where its files have the same ids on the host, a stamp says in which folder it lies. */

import { basename } from 'node:path';
import type { Paths } from '../paths.ts';
import { writeAtomically } from './atomic.ts';
import type { Digest } from './digest.ts';
import { layerName, type LayerMapping, layersFolder, mapFolders, readMap, readStamp, stampFile } from './layers.ts';
import { agree, stampedOwners } from './owners.ts';

/** Layers that need not be unpacked for this mapping are there when this returns. The folder of the mapping exists. */
export function shareLayers(paths: Paths, mapping: LayerMapping, missing: readonly Digest[]): void {
  const own = layersFolder(paths, mapping);
  const others = mapFolders(paths)
    .filter((folder) => folder !== own)
    .flatMap((folder) => {
      const map = readMap(folder);
      return map !== undefined && map.single === (mapping.mode === 'single') ? [{ folder, map }] : [];
    });
  for (const diffId of missing) {
    for (const { folder, map } of others) {
      const stamp = readStamp(folder, diffId);
      if (stamp === undefined || stamp.in !== undefined || !agree(map, mapping.idMap, stampedOwners(stamp))) continue;
      writeAtomically(stampFile(own, layerName(diffId)), JSON.stringify({ ...stamp, in: basename(folder) }));
      break;
    }
  }
}
