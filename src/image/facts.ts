/** What lists of images show: from the store's one index, without opening blobs. */

import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Paths } from '../paths.ts';
import { type Digest, hexOf } from './digest.ts';
import type { Platform } from './platform.ts';
import { familiarName, parseReference } from './reference.ts';
import { type Brief, blobFile, listImages, readableBlob, readImage, type StoredImage } from './store.ts';

/** One row of `rootless images`. */
export type ImageFacts = {
  /** As people type it: `alpine`, `localhost:5000/x`; `<none>` for an image without a name. */
  readonly repository: string;
  /** `<none>` when pulled by digest, or when the tag went to a newer image. */
  readonly tag: string;
  readonly id: Digest;
  readonly digest: Digest;
  readonly platform: Platform;
  /** RFC 3339, or undefined. */
  readonly created: string | undefined;
  /** Bytes of the layers as they are stored, the configuration and the manifest. */
  readonly size: number;
};

/** Facts of every stored image, in the order in which they were named. Images with a lost blob are left out. */
export function imageFacts(paths: Paths, fits: (image: StoredImage) => boolean = () => true): ImageFacts[] {
  const isThere = blobLookup(paths);
  return listImages(paths).flatMap((image) => (isWhole(image, isThere) && fits(image) ? (factsOf(paths, image) ?? []) : []));
}

/** Undefined when a blob was lost, or the image says nothing of its platform. */
export function factsOf(paths: Paths, image: StoredImage): ImageFacts | undefined {
  const { platform } = image.manifest;
  const brief = image.brief ?? briefOf(paths, image);
  if (brief === undefined || platform === undefined) return undefined;
  return { ...shownName(image.name), id: image.id, digest: image.source, platform, ...brief };
}

function isWhole({ manifest, id }: StoredImage, isThere: (digest: Digest) => boolean): boolean {
  return isThere(manifest.digest) && isThere(id);
}

/** One look at the folder instead of one at each of thousands of files. */
function blobLookup(paths: Paths): (digest: Digest) => boolean {
  const present = new Map<string, ReadonlySet<string>>();
  return (digest) => {
    const folder = dirname(blobFile(paths, digest));
    const names = present.get(folder) ?? new Set(existsSync(folder) ? readdirSync(folder) : []);
    present.set(folder, names);
    return names.has(hexOf(digest)) || (paths.additional.length > 0 && existsSync(readableBlob(paths, digest)));
  };
}

/** `repository` and `tag` as docker has them in its table. */
export function shownName(name: string | undefined): { readonly repository: string; readonly tag: string } {
  if (name === undefined) return { repository: '<none>', tag: '<none>' };
  const reference = parseReference(name);
  return { repository: familiarName(reference), tag: reference.tag ?? '<none>' };
}

/** Undefined when a blob was lost. */
export function briefOf(paths: Paths, image: StoredImage): Brief | undefined {
  try {
    const { manifest, config } = readImage(paths, image);
    const size = manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size + image.manifest.size);
    return { created: config.created, size };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
