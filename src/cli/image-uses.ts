/** What containers need of the image store, and clearing away what nobody needs. */

import { collectBlobs } from '../image/collect.ts';
import { collectLayers, type Mappers } from '../image/collect-layers.ts';
import type { ImageUse } from '../image/removal.ts';
import type { Paths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { layersInUse } from '../runtime/layers-in-use.ts';
import { isActive, listContainers } from '../runtime/state.ts';
import { readHost } from '../userns/host.ts';
import { notice } from './notice.ts';

export function imageUses(paths: Paths): ImageUse[] {
  return listContainers(paths).flatMap((container) =>
    container.imageId === undefined
      ? []
      : [{ imageId: container.imageId, containerId: container.id, name: container.name, running: isActive(container) }],
  );
}

/** Deletes blobs and unpacked layers that nothing needs. @returns the bytes that became free */
export async function collectUnused(paths: Paths, env: NodeJS.ProcessEnv): Promise<number> {
  const blobs = await collectBlobs(paths);
  const { freed, failures } = await collectLayers(paths, mappersOf(env), () => layersInUse(paths));
  // The images are gone all the same.
  for (const failure of failures) notice(`layers that nothing needs stay: ${failure instanceof Error ? failure.message : String(failure)}`);
  return blobs + freed;
}

/** The programs that write an id map for this user; none where it may be written directly. */
export function mappersOf(env: NodeJS.ProcessEnv): Mappers {
  const { canMap, mappers } = readHost(searchPath(env));
  return canMap ? {} : { newuidmap: mappers.uid?.path, newgidmap: mappers.gid?.path };
}
