/** A small file of an image, read from its unpacked layers without mounting them. */

import type { Stats } from 'node:fs';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Layers } from './root.ts';

/** Files larger than this are not user databases. */
const limit = 8 * 1024 * 1024;

/**
 * The topmost layer that says something about `path` (relative) decides. A link on the way is not followed: what it leads to is
 * not worth a second resolver. Nobody changes a layer, so what was looked at is what is opened.
 */
export function readLayerFile({ base, lower }: Layers, path: string): string | undefined {
  for (const layer of lower) {
    const found = look(layer.startsWith('/') ? layer : join(base, layer), path.split('/'));
    if (found === 'nothing') continue;
    return found === undefined ? undefined : read(found);
  }
  return undefined;
}

/** The file's path in this layer; `nothing` where lower layers may have it, undefined where this one hides it. */
function look(layer: string, words: readonly string[]): string | 'nothing' | undefined {
  let at = layer;
  for (const [index, word] of words.entries()) {
    at = join(at, word);
    const stat = lookAt(at);
    if (stat === 'closed') return undefined;
    if (stat === undefined) return 'nothing';
    const last = index === words.length - 1;
    if (last ? !stat.isFile() : !stat.isDirectory()) return undefined;
  }
  return at;
}

/** Where the caller has no id in the mapping, a folder of a layer may be closed. */
function lookAt(path: string): Stats | undefined | 'closed' {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return 'closed';
  }
}

function read(path: string): string | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = fstatSync(fd);
      if (size > limit) return undefined;
      const bytes = Buffer.alloc(size);
      return bytes.toString('utf8', 0, readSync(fd, bytes, 0, size, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
