/** An image's layers for a mapping, or for a wider one where files belong to ids that the mapping does not have. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { ensureLayers, type LayerOrigin } from './ensure.ts';
import { type LayerMapping, layersFolder, missingLayers, type Owners, otherFolders } from './layers.ts';
import { knownOwners, learnOwners } from './owners.ts';
import type { Progress } from './progress.ts';

/** The same ids of the host, arranged so that all owners are mapped; the mapping itself if they are. @throws RootlessError IDS_TOO_FEW */
export type Widen = (owners: Owners) => Promise<LayerMapping>;

export type Fitting = {
  readonly mapping: LayerMapping;
  /** Without it the mapping is as it is. */
  readonly widen?: Widen | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** @returns the mapping that they are unpacked for. @throws RootlessError OWNER_UNMAPPED, IDS_TOO_FEW, and what unpacking throws */
export async function fitLayers(
  paths: Paths,
  origins: () => readonly LayerOrigin[],
  diffIds: readonly LayerOrigin['diffId'][],
  { mapping, widen, progress, signal }: Fitting,
): Promise<LayerMapping> {
  const known = widen && knownOwners(paths, diffIds);
  const first = known && widen ? await widen(known) : mapping;
  if (missingLayers(layersFolder(paths, first), diffIds, otherFolders(paths, first)).length === 0) return first;
  try {
    await ensureLayers(paths, origins(), first, progress, signal);
    return first;
  } catch (error) {
    if (widen === undefined || !isUnmapped(error)) throw error;
    const wider = await widen(await learnOwners(paths, origins(), signal));
    await ensureLayers(paths, origins(), wider, progress, signal);
    return wider;
  }
}

/** A layer has an owner that its mapping has not. */
export function isUnmapped(error: unknown): boolean {
  return error instanceof RootlessError && error.code === 'OWNER_UNMAPPED';
}
