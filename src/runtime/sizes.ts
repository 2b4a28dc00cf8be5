/** How much a container has written, and how large it is with its image: docker's SizeRw and SizeRootFs. */

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runHelper } from '../helper.ts';
import { layersFolder, readStamp } from '../image/layers.ts';
import type { Paths } from '../paths.ts';
import { asideFolder } from './folders.ts';
import { containerFolder, type Listed } from './state.ts';

/** Bytes. */
export type Sizes = { readonly written: number; readonly whole: number };

/** Folders that hold what a container wrote; `rootfs` is a copy of the image's files and what was written into them. */
export async function containerSizes(paths: Paths, container: Listed): Promise<Sizes> {
  const folder = containerFolder(paths, container.id);
  const image = imageSize(paths, container);
  const uppers = [join(folder, 'upper'), asideFolder(paths, container.id)];
  const upper = await treeSize(paths, container, uppers.filter(exists));
  const copied = hasFiles(join(folder, 'rootfs')) ? await treeSize(paths, container, [join(folder, 'rootfs')]) : 0;
  const written = upper + (copied > 0 ? Math.max(0, copied - image) : 0);
  return { written, whole: written + image };
}

/** Unpacked, as the layers' stamps have it; 0 for `host:` and `rootfs:`. */
function imageSize(paths: Paths, container: Listed): number {
  const { base } = container;
  if (base.kind !== 'layers') return 0;
  const folder = layersFolder(paths, container);
  return base.diffIds.reduce((sum, diffId) => sum + (readStamp(folder, diffId)?.size ?? 0), 0);
}

/** Folders of mapped ids may be closed to the caller: then they are looked at from inside the mapping. */
async function treeSize(paths: Paths, { idMap }: Listed, folders: readonly string[]): Promise<number> {
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

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function hasFiles(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
