/** How many bytes the files below folders have, each inode once. */

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type IdMap, runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';

/** Folders of mapped ids may be closed to the caller: then they are looked at from inside the mapping. */
export async function sizeOfTrees(paths: Paths, idMap: IdMap, folders: readonly string[]): Promise<number> {
  try {
    const seen = new Set<number>();
    return folders.reduce((sum, folder) => sum + walk(folder, seen), 0);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
  }
  const find = ['find', ...folders, '(', '-type', 'f', '-o', '-type', 'l', ')', '-printf', '%i %s\\n'];
  const { stdout } = await runHelper(paths, ['unshare', '--idmap', JSON.stringify(idMap), '--', ...find]);
  const sizes = new Map<string, number>();
  for (const line of stdout.split('\n')) {
    const [inode = '', size = '0'] = line.split(' ');
    sizes.set(inode, Number(size));
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** Files and links, each inode once. */
function walk(folder: string, seen: Set<number>): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) sum += walk(path, seen);
    else if (entry.isFile() || entry.isSymbolicLink()) {
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat === undefined || (stat.nlink > 1 && seen.has(stat.ino))) continue;
      seen.add(stat.ino);
      sum += stat.size;
    }
  }
  return sum;
}
