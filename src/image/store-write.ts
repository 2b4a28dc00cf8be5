/** The names of the image store: they change under a lock, and what no name needs is deleted. */

import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import { writeAtomically } from './atomic.ts';
import { withLock } from './lock.ts';
import { type Descriptor, mediaTypes } from './manifest.ts';
import { isAlive, leftovers } from './owner.ts';
import { formatPlatform } from './platform.ts';
import { annotations, blobFile, hasBlob, imagesFolder, indexFile, listImages, readManifest, type StoredImage } from './store.ts';

/** Gives an image its name; an older image of the same name and platform loses it. */
export function nameImage(paths: Paths, image: StoredImage, signal?: AbortSignal): Promise<void> {
  return changeIndex(
    paths,
    (images) => [...images.filter((other) => other.name !== image.name || platformOf(other) !== platformOf(image)), image],
    signal,
  );
}

/** Removes every platform of the names; then blobs that nothing needs are deleted. Returns the names that were there. */
export async function removeImages(paths: Paths, names: readonly string[], signal?: AbortSignal): Promise<string[]> {
  const gone = new Set<string>();
  await changeIndex(
    paths,
    (images) =>
      images.filter(({ name }) => {
        if (names.includes(name)) gone.add(name);
        return !names.includes(name);
      }),
    signal,
  );
  await collectBlobs(paths, signal);
  return [...gone];
}

/** Deletes blobs that no image refers to, and temporary files of processes that are gone. */
export function collectBlobs(paths: Paths, signal?: AbortSignal): Promise<void> {
  mkdirSync(imagesFolder(paths), { recursive: true });
  return withLock(
    lockFile(paths),
    () => {
      const needed = neededBlobs(paths);
      const since = oldestLease(paths);
      for (const algorithm of ['sha256', 'sha512'] as const) {
        const folder = join(imagesFolder(paths), 'blobs', algorithm);
        for (const hex of existsSync(folder) ? readdirSync(folder) : []) {
          const path = join(folder, hex);
          const unused = !hex.includes('.') && !needed.has(path) && (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? since) < since;
          if (unused) rmSync(path, { force: true });
        }
      }
      sweep(paths);
    },
    signal,
  );
}

/** Deletes temporary files whose makers died; cheap enough to do before every pull. */
export function sweep(paths: Paths): void {
  const root = imagesFolder(paths);
  for (const folder of [root, join(root, 'leases'), join(root, 'blobs/sha256'), join(root, 'blobs/sha512')]) {
    for (const name of leftovers(folder)) rmSync(join(folder, name), { force: true });
  }
}

function changeIndex(paths: Paths, change: (images: StoredImage[]) => StoredImage[], signal?: AbortSignal): Promise<void> {
  mkdirSync(imagesFolder(paths), { recursive: true });
  return withLock(
    lockFile(paths),
    () => {
      const manifests = change(listImages(paths)).map(toDescriptor);
      const layout = join(imagesFolder(paths), 'oci-layout');
      if (!existsSync(layout)) writeAtomically(layout, '{"imageLayoutVersion":"1.0.0"}');
      writeAtomically(indexFile(paths), JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, undefined, 1));
    },
    signal,
  );
}

function toDescriptor({ manifest, name, source, id }: StoredImage): Descriptor {
  const { digest, mediaType, platform, size } = manifest;
  return {
    mediaType,
    digest,
    size,
    platform,
    annotations: { [annotations.name]: name, [annotations.source]: source, [annotations.id]: id },
  };
}

function platformOf({ manifest }: StoredImage): string {
  return manifest.platform === undefined ? '' : formatPlatform(manifest.platform);
}

/** Files to keep. An image whose manifest cannot be read keeps what is known of it. */
function neededBlobs(paths: Paths): Set<string> {
  const needed = new Set<string>();
  for (const image of listImages(paths)) {
    needed.add(blobFile(paths, image.manifest.digest)).add(blobFile(paths, image.id));
    if (!hasBlob(paths, image.manifest) || !existsSync(blobFile(paths, image.id))) continue;
    const manifest = readManifest(paths, image);
    for (const { digest } of [manifest.config, ...manifest.layers]) needed.add(blobFile(paths, digest));
  }
  return needed;
}

/** Milliseconds since 1970; now, when no pull runs. */
function oldestLease(paths: Paths): number {
  const folder = join(imagesFolder(paths), 'leases');
  const now = Date.now() + 1;
  if (!existsSync(folder)) return now;
  return readdirSync(folder)
    .filter((name) => isAlive(/\.tmp-([0-9]+-[0-9]+)-/.exec(name)?.[1] ?? ''))
    .reduce((oldest, name) => Math.min(oldest, statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? now), now);
}

function lockFile(paths: Paths): string {
  return join(imagesFolder(paths), 'lock');
}
