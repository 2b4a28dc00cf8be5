/** How much of the disk images take: blobs and unpacked layers, what several share counted once. */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import { blobFolders } from './collect.ts';
import { layersIn } from './collect-layers.ts';
import type { Digest } from './digest.ts';
import { layerFolder, mapFolders, readStamp, stampFile } from './layers.ts';
import { blobFile, listImages, readImage, type StoredImage } from './store.ts';
import { existsSync, readFileSync } from 'node:fs';

/** Bytes on disk of one image: all, and what no other image has. */
export type ImageUsage = { readonly image: StoredImage; readonly shared: number; readonly unique: number };

export type Usage = {
  /** Each image once, whatever names it has. */
  readonly images: readonly ImageUsage[];
  /** Everything in the store, also what no image needs. */
  readonly total: number;
};

export function imageUsage(paths: Paths): Usage {
  const sizes = sizesOnDisk(paths);
  const images = [...new Map(listImages(paths).map((image) => [image.id, image])).values()];
  const parts = new Map(images.map((image) => [image.id, partsOf(paths, image)]));
  const users = new Map<string, number>();
  for (const files of parts.values()) for (const file of files) users.set(file, (users.get(file) ?? 0) + 1);
  const sum = (files: readonly string[]) => files.reduce((bytes, file) => bytes + (sizes.get(file) ?? 0), 0);
  return {
    images: images.map((image) => {
      const files = parts.get(image.id) ?? [];
      return {
        image,
        shared: sum(files.filter((file) => (users.get(file) ?? 0) > 1)),
        unique: sum(files.filter((file) => users.get(file) === 1)),
      };
    }),
    total: sum([...sizes.keys()]),
  };
}

/** Blobs by path, and layers by folder. */
function sizesOnDisk(paths: Paths): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const folder of blobFolders(paths)) {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      const size = statSync(join(folder, name), { throwIfNoEntry: false })?.size;
      if (size !== undefined) sizes.set(join(folder, name), size);
    }
  }
  for (const folder of mapFolders(paths)) for (const name of layersIn(folder)) sizes.set(join(folder, name), stampedSize(folder, name));
  return sizes;
}

function partsOf(paths: Paths, image: StoredImage): string[] {
  try {
    const { manifest, config } = readImage(paths, image);
    const blobs = [image.manifest, manifest.config, ...manifest.layers].map(({ digest }) => blobFile(paths, digest));
    const layers = mapFolders(paths).flatMap((folder) =>
      config.diffIds.filter((diffId: Digest) => readStamp(folder, diffId) !== undefined).map((diffId) => layerFolder(folder, diffId)),
    );
    return [...new Set([...blobs, ...layers])];
  } catch {
    // An image that is not whole takes what it takes: `system check` names it.
    return [];
  }
}

function stampedSize(folder: string, name: string): number {
  try {
    const { size } = JSON.parse(readFileSync(stampFile(folder, name), 'utf8')) as { readonly size?: unknown };
    return typeof size === 'number' ? size : 0;
  } catch {
    return 0;
  }
}
