/** What lists of images show: from the store's one index, without opening blobs. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import { algorithmOf, type Digest, hexOf } from './digest.ts';
import type { Platform } from './platform.ts';
import { type Brief, imagesFolder, listImages, readableBlob, readImage, type StoredImage } from './store.ts';

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
  const { repository, tag } = shownName(image.name);
  return { repository, tag, id: image.id, digest: image.source, platform, created: brief.created, size: brief.size };
}

function isWhole({ manifest, id }: StoredImage, isThere: (digest: Digest) => boolean): boolean {
  return isThere(manifest.digest) && isThere(id);
}

/** One look at the folder instead of one at each of thousands of files. */
function blobLookup(paths: Paths): (digest: Digest) => boolean {
  const names = { sha256: namesOf(paths, 'sha256'), sha512: namesOf(paths, 'sha512') };
  return (digest) =>
    names[algorithmOf(digest)].has(hexOf(digest)) || (paths.additional.length > 0 && existsSync(readableBlob(paths, digest)));
}

function namesOf(paths: Paths, algorithm: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(join(imagesFolder(paths), 'blobs', algorithm)));
  } catch {
    return new Set();
  }
}

/** `repository` and `tag` as docker has them in its table. Names of the store are canonical: nothing has to be checked again. */
export function shownName(name: string | undefined): { readonly repository: string; readonly tag: string } {
  if (name === undefined) return { repository: '<none>', tag: '<none>' };
  const at = name.indexOf('@');
  const named = at < 0 ? name : name.slice(0, at);
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const repository = tagged ? named.slice(0, colon) : named;
  return { repository: familiar(repository), tag: tagged ? named.slice(colon + 1) : '<none>' };
}

function familiar(repository: string): string {
  if (!repository.startsWith('docker.io/')) return repository;
  const path = repository.slice('docker.io/'.length);
  return path.startsWith('library/') && !path.includes('/', 'library/'.length) ? path.slice('library/'.length) : path;
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
