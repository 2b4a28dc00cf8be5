/** The image store as it is changed: blobs come in verified, names change under a lock, what no name needs is deleted. */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Paths } from '../paths.ts';
import { temporaryName, writeAtomically } from './atomic.ts';
import { checkBytes, type Expected, verified } from './digest.ts';
import { withLock } from './lock.ts';
import { type Descriptor, mediaTypes } from './manifest.ts';
import { isAlive, leftovers } from './owner.ts';
import { formatPlatform } from './platform.ts';
import { annotations, blobFile, hasBlob, imagesFolder, indexFile, listImages, readImage, type StoredImage } from './store.ts';

/** Stores small content that is already in memory, after checking it. */
export function addBytes(paths: Paths, expected: Expected, bytes: Uint8Array): void {
  checkBytes(bytes, expected);
  if (!keepBlob(paths, expected)) writeAtomically(blobFile(paths, expected.digest), bytes);
}

/**
 * Stores a stream: the blob appears under its name only when all of it is there, right, and on disk. Each chunk is also
 * given to `tee`, and waited for.
 * @throws what `source` or `tee` throws, SIZE_MISMATCH, DIGEST_MISMATCH; nothing is left behind
 */
export async function addBlob(
  paths: Paths,
  expected: Expected,
  source: AsyncIterable<Uint8Array>,
  tee?: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  const path = blobFile(paths, expected.digest);
  const temporary = temporaryName(path);
  mkdirSync(dirname(path), { recursive: true });
  const file = await open(temporary, 'wx', 0o644);
  try {
    try {
      for await (const chunk of verified(source, expected)) {
        await Promise.all([writeAll(file, chunk), tee?.(chunk)]);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
}

/** Whether the blob is there; if so it is marked as used now, which saves it from a collection that runs beside this pull. */
export function keepBlob(paths: Paths, blob: Expected): boolean {
  if (!hasBlob(paths, blob)) return false;
  const now = new Date();
  utimesSync(blobFile(paths, blob.digest), now, now);
  return true;
}

/**
 * Marks a pull as running, for as long as the returned value lives: blobs newer than the oldest lease are never collected,
 * because no name may point to them yet.
 */
export function lease(paths: Paths): Disposable {
  const folder = join(imagesFolder(paths), 'leases');
  mkdirSync(folder, { recursive: true });
  const path = temporaryName(join(folder, 'pull'));
  writeAtomically(path, '');
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

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
    const { manifest } = readImage(paths, image);
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

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}
