/** How much a container has written, and how large it is with its image: docker's SizeRw and SizeRootFs. */

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { layersFolder, readStamp } from '../image/layers.ts';
import type { Paths } from '../paths.ts';
import { asideFolder } from './folders.ts';
import { containerFolder, type Listed } from './state.ts';
import { sizeOfTrees } from './tree-size.ts';

/** Bytes. */
export type Sizes = { readonly written: number; readonly whole: number };

/** Folders that hold what a container wrote; `rootfs` is a copy of the image's files and what was written into them. */
export async function containerSizes(paths: Paths, container: Listed): Promise<Sizes> {
  const folder = containerFolder(paths, container.id);
  const image = imageSize(paths, container);
  const uppers = [join(folder, 'upper'), asideFolder(paths, container.id)];
  const upper = await sizeOfTrees(paths, container.idMap, uppers.filter(exists));
  const copied = hasFiles(join(folder, 'rootfs')) ? await sizeOfTrees(paths, container.idMap, [join(folder, 'rootfs')]) : 0;
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

/** What is in a folder that is closed to us cannot be counted. */
function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function hasFiles(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
