/** Looking for what is wrong with unpacked layers: stamps without a folder, folders without a stamp, files that are missing. */

import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import type { CheckOptions, Problem } from './check.ts';
import { layersIn, type LayersInUse, unusedLayers } from './collect-layers.ts';
import { listLayer } from './image-files.ts';
import { type LayerStamp, mapFolders, readMap, stampFile } from './layers.ts';
import { staleLocks } from './lock.ts';
import { leftovers } from './owner.ts';
import type { Digest } from './digest.ts';
import { hasBlob, listImages, readImage } from './store.ts';

export async function checkLayers(paths: Paths, { quick, signal }: CheckOptions, inUse: LayersInUse): Promise<Problem[]> {
  const blobs = quick ? new Map<string, Digest>() : blobsByDiffId(paths);
  const problems: Problem[] = [];
  for (const folder of mapFolders(paths)) {
    problems.push(...checkFolder(folder, new Set(unusedLayers(paths, folder, inUse))));
    if (quick) continue;
    for (const name of layersIn(folder)) {
      signal?.throwIfAborted();
      const blob = blobs.get(readStampOf(folder, name)?.diffId ?? '');
      const lost = blob === undefined ? undefined : await firstLost(paths, join(folder, name), blob, signal);
      if (lost !== undefined)
        problems.push(layer('broken', 'layer-incomplete', join(folder, name), lost, [stampFile(folder, name), join(folder, name)]));
    }
  }
  return problems;
}

function checkFolder(folder: string, unused: ReadonlySet<string>): Problem[] {
  if (readMap(folder) === undefined)
    return [
      layer(
        readdirSync(folder).length === 0 ? 'leftover' : 'broken',
        'layer-map-missing',
        folder,
        'nothing says which id mapping it is for',
        [folder],
      ),
    ];
  const names = readdirSync(folder);
  const layers = new Set(layersIn(folder));
  const stamps = names.flatMap((name) => /^([0-9a-f]{24})\.json$/.exec(name)?.[1] ?? []);
  const path = (name: string) => join(folder, name);
  return [
    ...stamps
      .filter((name) => !layers.has(name) && !isShared(folder, name))
      .map((name) => layer('broken', 'layer-missing', path(name), 'its stamp says that it is whole', [stampFile(folder, name)])),
    ...stamps
      .filter((name) => layers.has(name) && readStampOf(folder, name) === undefined)
      .map((name) => layer('broken', 'layer-stamp-damaged', path(name), 'its stamp cannot be read', [stampFile(folder, name)])),
    ...[...layers]
      .filter((name) => !stamps.includes(name))
      .map((name) => layer('leftover', 'layer-unfinished', path(name), 'it has no stamp', [path(name)])),
    ...[...layers]
      .filter((name) => stamps.includes(name) && unused.has(name))
      .map((name) =>
        layer('leftover', 'layer-unused', path(name), 'no image and no container needs it', [stampFile(folder, name), path(name)]),
      ),
    ...leftovers(folder).map((name) => layer('leftover', 'temporary-file', path(name), 'the process that wrote it is gone', [path(name)])),
    ...staleLocks(names.filter((name) => /\.lock(\.next-\d+)?$/.test(name)).map(path)).map((lock) =>
      layer('leftover', 'stale-lock', lock, 'the process that held it is gone', [lock]),
    ),
  ];
}

function layer(level: Problem['level'], kind: string, what: string, why: string, files: readonly string[]): Problem {
  return { level, kind, what, why, files, images: [] };
}

/** It lies in the folder of another mapping; when it is collected there, this stamp says nothing any more. */
function isShared(folder: string, name: string): boolean {
  return readStampOf(folder, name)?.in !== undefined;
}

function readStampOf(folder: string, name: string): LayerStamp | undefined {
  try {
    const stamp = JSON.parse(readFileSync(stampFile(folder, name), 'utf8')) as LayerStamp;
    return typeof stamp.diffId === 'string' ? stamp : undefined;
  } catch {
    return undefined;
  }
}

function blobsByDiffId(paths: Paths): Map<string, Digest> {
  const found = new Map<string, Digest>();
  for (const image of listImages(paths)) {
    try {
      const { manifest, config } = readImage(paths, image);
      for (const [index, blob] of manifest.layers.entries()) {
        const diffId = config.diffIds[index];
        if (diffId !== undefined && hasBlob(paths, blob)) found.set(diffId, blob.digest);
      }
    } catch {
      // The image itself is reported.
    }
  }
  return found;
}

/** The first file of the layer that is not there, or has another size. What is closed to this user is taken as it is. */
async function firstLost(paths: Paths, folder: string, blob: Digest, signal: AbortSignal | undefined): Promise<string | undefined> {
  // A damaged blob is reported by itself: it cannot tell what the layer should have.
  const lines = await listLayer(paths, blob, signal).catch(() => []);
  const last = new Map(lines.map((line) => [line.path.replace(/^\.?\//, '').replace(/\/$/, ''), line]));
  for (const [path, { type, size }] of last) {
    if (path === '' || path === '.' || /(^|\/)(\.wh\.|\.\.(\/|$))/.test(path) || type === 'char' || type === 'block') continue;
    try {
      const found = lstatSync(join(folder, path), { throwIfNoEntry: false });
      if (found === undefined) return `it lacks "${path}"`;
      if (type === 'file' && found.isFile() && found.size !== size) return `"${path}" has ${found.size} bytes instead of ${size}`;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EACCES' && code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
    }
  }
  return undefined;
}
