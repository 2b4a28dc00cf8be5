/** An image as bytes, wherever it lies: what can be pushed or copied. */

import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { Digest, Expected } from './digest.ts';
import { mediaTypes } from './manifest.ts';
import { parseReference } from './reference.ts';
import { listImages, readableBlob, readManifest, type StoredImage } from './store.ts';

export type BlobSource = {
  /** The manifest or index, exactly as its digest was made. */
  readonly root: Uint8Array;
  /** Of `root`, for documents that do not say it themselves. */
  readonly mediaType: string;
  /** A blob, or a manifest that an index lists, from an offset on. Not verified: the receiver does that. */
  open(blob: Expected, from: number): AsyncIterable<Uint8Array>;
  /** Repositories of a registry that probably have the blob, so that it need not be sent. */
  origins?(blob: Expected, registry: string): readonly string[];
};

/** Images of the store; several platforms of one name become an index. */
export function storeSource(paths: Paths, images: readonly [StoredImage, ...StoredImage[]]): BlobSource {
  const [first] = images;
  const root = images.length === 1 ? readFileSync(readableBlob(paths, first.manifest.digest)) : indexOf(images);
  return {
    root,
    mediaType: images.length === 1 ? first.manifest.mediaType : mediaTypes.ociIndex,
    open: ({ digest }, from) => createReadStream(whole(paths, digest), { start: from, highWaterMark: 1 << 18 }),
    origins: origins(paths),
  };
}

function whole(paths: Paths, digest: Digest): string {
  const file = readableBlob(paths, digest);
  if (existsSync(file)) return file;
  throw new RootlessError({
    code: 'LAYER_MISSING',
    message: `the store does not have ${digest} any more`,
    why: `there is no file "${file}"`,
    fix: 'pull the image again',
  });
}

function indexOf(images: readonly StoredImage[]): Buffer {
  const manifests = images.map(({ manifest: { mediaType, digest, size, platform } }) => ({ mediaType, digest, size, platform }));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
}

/** Which repositories the store's other images came from, read once and only when something has to be sent. */
function origins(paths: Paths): NonNullable<BlobSource['origins']> {
  let known: Map<Digest, Set<string>> | undefined;
  return ({ digest }, registry) => {
    known ??= repositoriesOfBlobs(paths);
    return [...(known.get(digest) ?? [])]
      .map((name) => parseReference(name))
      .filter((reference) => reference.registry === registry)
      .map(({ repository }) => repository);
  };
}

function repositoriesOfBlobs(paths: Paths): Map<Digest, Set<string>> {
  const found = new Map<Digest, Set<string>>();
  for (const image of listImages(paths)) {
    if (image.name === undefined) continue;
    const { registry, repository } = parseReference(image.name);
    for (const { digest } of layersOf(paths, image)) {
      found.set(digest, (found.get(digest) ?? new Set()).add(`${registry}/${repository}`));
    }
  }
  return found;
}

function layersOf(paths: Paths, image: StoredImage): readonly Expected[] {
  try {
    return readManifest(paths, image).layers;
  } catch {
    // An image that is not whole helps nobody, and hinders nobody.
    return [];
  }
}
