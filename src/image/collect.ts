/** Collecting what no name of the store needs: blobs, and temporary files of processes that are gone. */

import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders, type Paths } from '../paths.ts';
import { withLock } from './lock.ts';
import { type Descriptor, type Index, type Manifest, parseManifest } from './manifest.ts';
import { isAlive, leftovers } from './owner.ts';
import { blobFile, hasBlob, imagesFolder, readableBlob, readIndex } from './store.ts';
import { lockFile } from './store-write.ts';

/** Deletes blobs that nothing refers to, and temporary files of processes that are gone. @returns the bytes that became free */
export function collectBlobs(paths: Paths, signal?: AbortSignal): Promise<number> {
  makeFolders(imagesFolder(paths));
  return withLock(
    lockFile(paths),
    () => {
      let freed = 0;
      for (const path of unusedBlobs(paths)) {
        freed += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
        rmSync(path, { force: true });
      }
      sweep(paths);
      return freed;
    },
    signal,
  );
}

/** Files of blobs that no name leads to. What is younger than the oldest running pull may get its name any moment and is not listed. */
export function unusedBlobs(paths: Paths): string[] {
  const needed = neededBlobs(paths);
  const since = oldestLease(paths);
  return blobFolders(paths)
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder).map((hex) => [hex, join(folder, hex)] as const) : []))
    .filter(([hex, path]) => !hex.includes('.') && !needed.has(path))
    .filter(([, path]) => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? since) < since)
    .map(([, path]) => path);
}

/** Deletes temporary files whose makers died; cheap enough to do before every pull. */
export function sweep(paths: Paths): void {
  for (const path of deadFiles(paths)) rmSync(path, { force: true });
}

/** Temporary files of processes that are gone. */
export function deadFiles(paths: Paths): string[] {
  const root = imagesFolder(paths);
  return [root, join(root, 'leases'), join(root, 'locks'), ...blobFolders(paths)].flatMap((folder) =>
    leftovers(folder).map((name) => join(folder, name)),
  );
}

export function blobFolders(paths: Paths): string[] {
  return ['sha256', 'sha512'].map((algorithm) => join(imagesFolder(paths), 'blobs', algorithm));
}

/** Whether a process of ours is pulling or loading: layers that it counts on may have no image yet. */
export function hasLease(paths: Paths): boolean {
  return leases(paths).length > 0;
}

/** Files to keep. A document that cannot be read keeps what is known of it. */
function neededBlobs(paths: Paths): Set<string> {
  const needed = new Set<string>();
  const { images, lists } = readIndex(paths);
  const add = (blob: Pick<Descriptor, 'digest' | 'size'>, depth: number) => {
    const path = blobFile(paths, blob.digest);
    if (needed.has(path)) return;
    needed.add(path);
    if (!hasBlob(paths, blob)) return;
    const document = readDocument(paths, blob);
    if (document === undefined) return;
    if (document.kind === 'manifest') for (const { digest } of [document.config, ...document.layers]) needed.add(blobFile(paths, digest));
    else if (depth < 4) for (const inner of document.manifests) add(inner, depth + 1);
  };
  for (const { manifest, id } of images) {
    add(manifest, 0);
    needed.add(blobFile(paths, id));
  }
  for (const list of lists) add(list, 0);
  return needed;
}

/** A damaged one is for "system check" to tell of: it must not keep images from being removed. */
function readDocument(paths: Paths, { digest }: Pick<Descriptor, 'digest'>): Manifest | Index | undefined {
  try {
    return parseManifest(readFileSync(readableBlob(paths, digest)), digest);
  } catch {
    return undefined;
  }
}

/** Milliseconds since 1970; now, when no pull runs. */
function oldestLease(paths: Paths): number {
  return leases(paths).reduce(
    (oldest, path) => Math.min(oldest, statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? oldest),
    Date.now() + 1,
  );
}

function leases(paths: Paths): string[] {
  const folder = join(imagesFolder(paths), 'leases');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => isAlive(/\.tmp-([0-9]+-[0-9]+)-/.exec(name)?.[1] ?? ''))
    .map((name) => join(folder, name));
}
