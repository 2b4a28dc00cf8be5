/** `docker save | gzip`: an archive that is compressed as a whole has no offsets, so it is inflated into a temporary file first. */

import { closeSync, createReadStream, createWriteStream, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { temporaryName } from './atomic.ts';
import { explainDisk } from './disk.ts';
import { imagesFolder } from './store.ts';

/** A plain archive, and what has to be deleted when it is no longer read. */
export type PlainArchive = { readonly file: string } & Disposable;

export function isGzip(file: string): boolean {
  try {
    const fd = openSync(file, 'r');
    try {
      const magic = Buffer.alloc(2);
      return readSync(fd, magic, 0, 2, 0) === 2 && magic.readUInt16BE(0) === 0x1f8b;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

/** @throws RootlessError ARCHIVE_TRUNCATED, ARCHIVE_INVALID, DISK_FULL; nothing is left behind */
export async function gunzip(paths: Paths, file: string, signal?: AbortSignal): Promise<PlainArchive> {
  const { createGunzip } = await import('node:zlib');
  mkdirSync(imagesFolder(paths), { recursive: true });
  const plain = temporaryName(join(imagesFolder(paths), 'inflated'));
  try {
    await pipeline(createReadStream(file), createGunzip(), createWriteStream(plain, { mode: 0o600 }), signal ? { signal } : {});
  } catch (cause) {
    rmSync(plain, { force: true });
    signal?.throwIfAborted();
    throw explain(file, paths, cause as NodeJS.ErrnoException);
  }
  return { file: plain, [Symbol.dispose]: () => rmSync(plain, { force: true }) };
}

function explain(file: string, paths: Paths, cause: NodeJS.ErrnoException): unknown {
  if (cause.code?.startsWith('Z_') !== true) return explainDisk(cause, paths);
  if (cause.message !== 'unexpected end of file') {
    return new RootlessError({ code: 'ARCHIVE_INVALID', message: `"${file}" is damaged`, why: `gzip: ${cause.message}`, cause });
  }
  return new RootlessError({ code: 'ARCHIVE_TRUNCATED', message: `"${file}" ends too early`, why: 'its gzip stream has no end', cause });
}
