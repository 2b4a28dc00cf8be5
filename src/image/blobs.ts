/** Content on its way into the store: verified, on disk, and only then under its name. */

import { mkdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Paths } from '../paths.ts';
import { temporaryName, writeAtomically } from './atomic.ts';
import { checkBytes, type Digest, digestOf, type Expected, verified } from './digest.ts';
import { blobFile, hasBlob, imagesFolder, readableBlob } from './store.ts';

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

/** Stores a stream whose digest nobody knows yet. @throws what `source` throws; nothing is left behind */
export async function addUnknown(paths: Paths, source: AsyncIterable<Uint8Array>): Promise<Expected> {
  const folder = dirname(blobFile(paths, digestOf(Buffer.alloc(0))));
  mkdirSync(folder, { recursive: true });
  const temporary = temporaryName(join(folder, 'new'));
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  const file = await open(temporary, 'wx', 0o644);
  let size = 0;
  try {
    try {
      for await (const chunk of source) {
        hash.update(chunk);
        size += chunk.length;
        await writeAll(file, chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const digest: Digest = `sha256:${hash.digest('hex')}`;
    renameSync(temporary, blobFile(paths, digest));
    return { digest, size };
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
}

/** Whether the blob is there; if so it is marked as used now, which saves it from a collection that runs beside this pull. */
export function keepBlob(paths: Paths, blob: Expected): boolean {
  if (!hasBlob(paths, blob)) return false;
  const now = new Date();
  const own = blobFile(paths, blob.digest);
  // What another store has is not ours to mark, nor to collect.
  if (readableBlob(paths, blob.digest) === own) utimesSync(own, now, now);
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

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}
