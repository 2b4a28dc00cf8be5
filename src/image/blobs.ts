/** Content on its way into the store: verified, on disk, and only then under its name. */

import { renameSync, rmSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolders, type Paths } from '../paths.ts';
import { temporaryName, writeAtomically } from './atomic.ts';
import { BlobFile, type Tee } from './blob-file.ts';
import { checkBytes, type Digest, digestOf, type Expected, verified } from './digest.ts';
import { blobFile, hasBlob, imagesFolder, readableBlob } from './store.ts';

/** Stores small content that is already in memory, after checking it. */
export function addBytes(paths: Paths, expected: Expected, bytes: Uint8Array): void {
  checkBytes(bytes, expected);
  if (!keepBlob(paths, expected)) writeAtomically(blobFile(paths, expected.digest), bytes);
}

/**
 * Stores a stream: the blob appears under its name only when all of it is there, right, and on disk. Everything is also
 * given to `tee`, and waited for.
 * @throws what `source` or `tee` throws, SIZE_MISMATCH, DIGEST_MISMATCH; nothing is left behind
 */
export async function addBlob(paths: Paths, expected: Expected, source: AsyncIterable<Uint8Array>, tee?: Tee): Promise<void> {
  const path = blobFile(paths, expected.digest);
  makeFolders(dirname(path));
  await store(paths, temporaryName(path), verified(source, expected), () => expected.digest, tee);
}

/** Stores a stream whose digest nobody knows yet. @throws what `source` throws; nothing is left behind */
export async function addUnknown(paths: Paths, source: AsyncIterable<Uint8Array>): Promise<Expected> {
  const folder = dirname(blobFile(paths, digestOf(Buffer.alloc(0))));
  makeFolders(folder);
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  let size = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  const digest = await store(paths, temporaryName(join(folder, 'new')), hashed(), () => `sha256:${hash.digest('hex')}`);
  return { digest, size };
}

/** `digest` is asked for when all is there. */
async function store(paths: Paths, temporary: string, source: AsyncIterable<Uint8Array>, digest: () => Digest, tee?: Tee): Promise<Digest> {
  const file = await BlobFile.create(temporary, tee);
  try {
    try {
      for await (const chunk of source) await file.write(chunk);
      await file.end();
    } finally {
      await file.close();
    }
    const found = digest();
    renameSync(temporary, blobFile(paths, found));
    return found;
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
  makeFolders(folder);
  const path = temporaryName(join(folder, 'pull'));
  writeAtomically(path, '');
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}
