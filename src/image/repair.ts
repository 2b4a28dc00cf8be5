/** Mending what a check found: what is wrong goes, and is fetched again where somebody has it. */

import { existsSync, rmSync } from 'node:fs';
import type { Paths } from '../paths.ts';
import type { Problem } from './check.ts';
import { collectBlobs } from './collect.ts';
import { collectLayers, type LayersInUse, type Mappers, withMappers } from './collect-layers.ts';
import { mapFolders, readMap } from './layers.ts';
import { changeIndex } from './store-write.ts';
import { blobFile, type StoredImage } from './store.ts';
import { removeTrees } from './unpack.ts';

/** Fetches the image of this name again; throws where that cannot be. */
export type Fetch = (image: StoredImage & { readonly name: string }) => Promise<void>;

/** @returns what could not be mended, with the reason */
export async function repair(
  paths: Paths,
  problems: readonly Problem[],
  mappers: Mappers,
  inUse: LayersInUse,
  fetch: Fetch,
): Promise<Problem[]> {
  const failed: Problem[] = [];
  const used = inUse();
  for (const problem of problems.filter(({ level }) => level === 'broken')) {
    const held = problem.files.find((file) => used === undefined || used.has(file));
    if (held !== undefined && problem.kind.startsWith('layer-'))
      failed.push({ ...problem, why: `${problem.why}; a container stands on it` });
    else await removeFiles(paths, problem.files, mappers);
  }
  for (const image of new Map(
    problems.flatMap(({ image: one }) => (one === undefined ? [] : [[one.name ?? one.id, one] as const])),
  ).values()) {
    const why = await fetchAgain(paths, image, fetch);
    if (why !== undefined) failed.push(...problems.filter((problem) => problem.image === image).map((problem) => ({ ...problem, why })));
  }
  for (const { kind, files } of problems) if (kind === 'stale-lock') for (const file of files) rmSync(file, { force: true });
  await collectBlobs(paths);
  await collectLayers(paths, mappers, inUse);
  return failed;
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
    return undefined;
  } catch (error) {
    const usable = existsSync(blobFile(paths, image.id)) && existsSync(blobFile(paths, image.manifest.digest));
    if (usable) return `it could not be pulled again: ${(error as Error).message}`;
    await changeIndex(paths, ({ images, lists }) => [{ images: images.filter(({ id }) => id !== image.id), lists }, undefined]);
    return undefined;
  }
}
