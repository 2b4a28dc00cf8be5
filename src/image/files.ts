/** Reading an image's files without trusting them: from a folder, or from a tar archive by offset. Nothing is extracted. */

import { createReadStream, lstatSync, openSync, closeSync, readSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { TarIndex } from './tar-index.ts';

export type ImageFiles = {
  /** What messages call it. */
  readonly shown: string;
  /** Bytes, or undefined when there is no such file. */
  size(name: string): number | undefined;
  /** The whole of a small file. @throws RootlessError when it is missing or larger than `limit` */
  read(name: string, limit: number): Buffer;
  stream(name: string, from?: number): AsyncIterable<Uint8Array>;
  /** Its first bytes. */
  head(name: string, length: number): Buffer;
  /** The path of a plain file that holds exactly this, where there is one. */
  path(name: string): string | undefined;
};

/** @throws RootlessError LAYOUT_NOT_FOUND */
export function folderFiles(dir: string, shown: string): ImageFiles {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new RootlessError({ code: 'LAYOUT_NOT_FOUND', message: `cannot open "${shown}"`, why: `there is no folder "${dir}"` });
  }
  const root = realpathSync(dir);
  // A layout may come from anywhere: its links must not lead to other files of this user.
  const locate = (name: string) => {
    const path = join(root, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    const real = realpathSync(path);
    return real.startsWith(root + sep) && statSync(real).isFile() ? real : undefined;
  };
  const must = (name: string) => locate(name) ?? missing(shown, name);
  return {
    shown,
    size: (name) => {
      const path = locate(name);
      return path === undefined ? undefined : statSync(path).size;
    },
    read: (name, limit) => readPart(must(name), 0, sizeWithin(statSync(must(name)).size, limit, shown, name)),
    stream: (name, from = 0) => createReadStream(must(name), { start: from, highWaterMark: 1 << 18 }),
    head: (name, length) => readPart(must(name), 0, length),
    path: must,
  };
}

export function archiveFiles(file: string, index: TarIndex, shown: string): ImageFiles {
  const must = (name: string) => index.find(name) ?? (index.complete ? missing(shown, name) : truncated(shown, name));
  return {
    shown,
    size: (name) => index.find(name)?.size,
    read: (name, limit) => readPart(file, must(name).offset, sizeWithin(must(name).size, limit, shown, name)),
    stream: (name, from = 0) => {
      const { offset, size } = must(name);
      return size <= from ? empty() : createReadStream(file, { start: offset + from, end: offset + size - 1, highWaterMark: 1 << 18 });
    },
    head: (name, length) => {
      const { offset, size } = must(name);
      return readPart(file, offset, Math.min(length, size));
    },
    path: () => undefined,
  };
}

export function readPart(file: string, offset: number, size: number): Buffer {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(size);
    let at = 0;
    for (let got = -1; at < size && got !== 0; at += got) got = readSync(fd, bytes, at, size - at, offset + at);
    return bytes.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}

function sizeWithin(size: number, limit: number, shown: string, name: string): number {
  if (size <= limit) return size;
  throw new RootlessError({
    code: 'MANIFEST_TOO_LARGE',
    message: `"${name}" in "${shown}" is too large`,
    why: `it has ${size} bytes`,
  });
}

function missing(shown: string, name: string): never {
  throw new RootlessError({
    code: 'LAYOUT_INVALID',
    message: `"${shown}" is not a whole image`,
    why: `it has no file "${name}"`,
  });
}

function truncated(shown: string, name: string): never {
  throw new RootlessError({
    code: 'ARCHIVE_TRUNCATED',
    message: `"${shown}" ends too early`,
    why: `it has no end mark, and no "${name}"`,
  });
}

async function* empty(): AsyncGenerator<Uint8Array> {}
