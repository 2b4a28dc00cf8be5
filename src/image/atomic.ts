/** Writing a file whole or not at all: temporary file, fsync, rename, fsync of the folder. */

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ownerTag } from './owner.ts';
import { makeFolders } from '../paths.ts';

let counter = 0;

/** A name beside `path` that no other process uses, and that says who made it. */
export function temporaryName(path: string): string {
  counter += 1;
  return `${path}.tmp-${ownerTag()}-${counter}`;
}

/** Replaces `path`; its folder is made if missing. A crash at any instant leaves the old file or the new one. */
export function writeAtomically(path: string, content: string | Uint8Array, mode = 0o644): void {
  write(path, content, mode);
}

/** For secrets: nobody else may read it, at no instant. */
export function writePrivately(path: string, content: string): void {
  write(path, content, 0o600);
}

function write(path: string, content: string | Uint8Array, mode: number): void {
  const temporary = temporaryName(path);
  makeFolders(dirname(path));
  try {
    const fd = openSync(temporary, 'wx', mode);
    try {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
  syncFolder(dirname(path));
}

/** Makes a rename in `folder` survive a power cut. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
