/** Several processes want the same blob or layer at the same moment: one fetches or unpacks it, the others wait their turn and find it done. */

import { join } from 'node:path';
import { makeFolders, type Paths } from '../paths.ts';
import { type Digest, hexOf } from './digest.ts';
import { type LayerMapping, layerLock, layerName, layersFolder } from './layers.ts';
import { hold } from './lock.ts';
import { imagesFolder } from './store.ts';

/** Waits until nobody fetches this blob. */
export function blobTurn(paths: Paths, digest: Digest, signal?: AbortSignal): Promise<Disposable> {
  const folder = locksFolder(paths);
  makeFolders(folder);
  return hold(join(folder, hexOf(digest)), signal);
}

/** Waits until nobody unpacks or deletes this layer. Its folder exists: see prepareLayers. */
export function layerTurn(paths: Paths, mapping: LayerMapping, diffId: Digest, signal?: AbortSignal): Promise<Disposable> {
  return hold(layerLock(layersFolder(paths, mapping), layerName(diffId)), signal);
}

export function locksFolder(paths: Paths): string {
  return join(imagesFolder(paths), 'locks');
}
