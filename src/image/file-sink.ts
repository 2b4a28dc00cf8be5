/** Where the files of an image go: a folder, or one tar archive. */

import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { callersMode } from '../umask.ts';
import { syncFolder, temporaryName, writeAtomically } from './atomic.ts';
import { readPart } from './files.ts';
import { tarWriter } from './tar-write.ts';
import { makeFolders } from '../paths.ts';

export type FileSink = {
  /** What is there already; undefined for none. An archive begins empty. */
  existing(name: string): Buffer | undefined;
  /** Writes a file once; content that names itself by its digest is not written again where it already is. */
  add(name: string, size: number, content: Uint8Array | AsyncIterable<Uint8Array>, fixed: boolean): Promise<void>;
  finish(): Promise<void>;
  /** Takes away what was begun. */
  discard(): Promise<void>;
};

export function folderSink(folder: string): FileSink {
  const made: string[] = [];
  return {
    existing: (name) => {
      const path = join(folder, name);
      const size = statSync(path, { throwIfNoEntry: false })?.size;
      return size === undefined ? undefined : readPart(path, 0, size);
    },
    add: async (name, size, content, fixed) => {
      const path = join(folder, name);
      if (fixed && statSync(path, { throwIfNoEntry: false })?.size === size) return;
      makeFolders(dirname(path), callersMode(0o777));
      if (fixed) made.push(path);
      if (content instanceof Uint8Array) writeAtomically(path, content, callersMode(0o644));
      else await writeStream(path, content);
    },
    finish: async () => undefined,
    discard: async () => {
      for (const path of made) rmSync(path, { force: true });
    },
  };
}

/** A plain file appears whole or not at all; pipes, devices and open descriptors are written to as they are. */
export async function tarSink(to: string | number): Promise<FileSink> {
  const plain = typeof to === 'string' && (!existsSync(to) || statSync(to).isFile());
  const target = plain ? temporaryName(to) : to;
  const tar = await tarWriter(target);
  const added = new Set<string>();
  const folders = new Set<string>();
  return {
    existing: () => undefined,
    add: async (name, size, content) => {
      if (added.has(name)) return;
      added.add(name);
      for (const folder of above(name)) {
        if (!folders.has(folder)) await tar.folder(folder);
        folders.add(folder);
      }
      await tar.file(name, size, content);
    },
    finish: async () => {
      await tar.end();
      await tar.close(plain);
      if (!plain || typeof target !== 'string') return;
      renameSync(target, to);
      syncFolder(dirname(to));
    },
    discard: async () => {
      await tar.close(false).catch(() => undefined);
      if (plain && typeof target === 'string') rmSync(target, { force: true });
    },
  };
}

function above(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_part, at) => parts.slice(0, at + 1).join('/'));
}

async function writeStream(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = temporaryName(path);
  const file = await open(temporary, 'wx', callersMode(0o644));
  try {
    try {
      for await (const chunk of content) for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
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
