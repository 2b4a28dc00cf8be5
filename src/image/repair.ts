/** Mending what a check found: what is wrong goes, and is fetched again where somebody has it. */

import { existsSync, rmSync } from 'node:fs';
import type { Paths } from '../paths.ts';
import type { Problem } from './check.ts';
import { collectBlobs } from './collect.ts';
import { collectLayers, type LayersInUse, type Mappers, withMappers } from './collect-layers.ts';
import { mapFolders, readMap } from './layers.ts';
import { tryHold } from './lock.ts';
import { changeIndex } from './store-write.ts';
import { blobFile, isWhole, type StoredImage } from './store.ts';
import { removeTrees } from './unpack.ts';

/** Fetches the image of this name again; throws where that cannot be. */
export type Fetch = (image: StoredImage & { readonly name: string }) => Promise<void>;

/** A second check tells what is still wrong. @returns why images could not be fetched again, by their names */
export async function repair(
  paths: Paths,
  problems: readonly Problem[],
  mappers: Mappers,
  inUse: LayersInUse,
  fetch: Fetch,
): Promise<ReadonlyMap<StoredImage, string>> {
  const used = inUse();
  for (const { level, kind, files } of problems) {
    // Below a running container nothing goes.
    const held = kind.startsWith('layer-') && files.some((file) => used === undefined || used.has(file));
    if (level === 'broken' && !held) await removeFiles(paths, files, mappers);
    // Taken over and given back: somebody may hold it by now.
    if (kind === 'stale-lock') for (const file of files) tryHold(file)?.[Symbol.dispose]();
  }
  const refused = new Map<StoredImage, string>();
  for (const image of new Set(problems.flatMap(({ images }) => images))) {
    // Another image may have brought what this one lacked.
    const why = isWhole(paths, image) ? undefined : await fetchAgain(paths, image, fetch);
    if (why !== undefined) refused.set(image, why);
  }
  await collectBlobs(paths);
  await collectLayers(paths, mappers, inUse);
  return refused;
}

async function removeFiles(paths: Paths, files: readonly string[], mappers: Mappers): Promise<void> {
  for (const file of files) {
    const folder = mapFolders(paths).find((one) => file.startsWith(`${one}/`));
    const idMap = folder === undefined ? undefined : readMap(folder);
    if (idMap === undefined) rmSync(file, { force: true, recursive: true });
    else await removeTrees(paths, withMappers(idMap, mappers), [file]);
  }
}

/** An image that nobody can give back stays as far as it can be used: without its documents it is only a name, and goes. */
async function fetchAgain(paths: Paths, image: StoredImage, fetch: Fetch): Promise<string | undefined> {
  const { name } = image;
  try {
    if (name === undefined) throw new Error('it has no name to pull it by');
    await fetch({ ...image, name });
    return isWhole(paths, image) ? undefined : 'the registry has another image under this name now';
  } catch (error) {
    if (existsSync(blobFile(paths, image.id)) && existsSync(blobFile(paths, image.manifest.digest))) return (error as Error).message;
    await changeIndex(paths, ({ images, lists }) => [{ images: images.filter(({ id }) => id !== image.id), lists }, undefined]);
    return undefined;
  }
}
