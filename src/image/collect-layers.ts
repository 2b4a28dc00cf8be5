/**
 * Deletes unpacked layers that no image has and no container uses.
 *
 * A container that starts says so first (its mark) and then looks for the stamps of its layers. A collection takes the stamps away
 * first and then looks for marks and leases. So one of the two sees the other, whatever the timing:
 *
 *     start:       mark ── reads stamps ── writes config.json
 *     collection:  removes stamp ── reads marks, leases, config.json ── stamp back, or folder renamed and deleted
 *
 * Who unpacks holds the layer's lock, and so does the collection: a layer is never stamped while its folder goes.
 */

import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { IdMap } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { temporaryName, writeAtomically } from './atomic.ts';
import { hasLease } from './collect.ts';
import { layerLock, layerName, type LayerStamp, mapFolders, readMap, stampFile } from './layers.ts';
import { tryHold } from './lock.ts';
import { leftovers } from './owner.ts';
import { ownersFolder } from './owners.ts';
import { listImages, readConfig } from './store.ts';
import { removeTrees } from './unpack.ts';

/** The programs that write an id map; absent where this process may write it itself. */
export type Mappers = Pick<IdMap, 'newuidmap' | 'newgidmap'>;

/** Absolute folders of layers that containers use; undefined while a container starts and what it will use is not written down yet. */
export type LayersInUse = () => ReadonlySet<string> | undefined;

/** @returns the bytes of the layers that were deleted, and what could not be: the ids of a mapping may not be this user's any more */
export async function collectLayers(paths: Paths, mappers: Mappers, inUse: LayersInUse): Promise<Collected> {
  const failures: unknown[] = [];
  let freed = 0;
  for (const folder of mapFolders(paths)) {
    const idMap = readMap(folder);
    if (idMap === undefined) continue;
    const gone = setAside(paths, folder, inUse);
    freed += gone.reduce((sum, { size }) => sum + size, 0);
    forgetShared(folder);
    const dead = leftovers(folder).map((name) => join(folder, name));
    await removeTrees(paths, withMappers(idMap, mappers), [...gone.map(({ path }) => path), ...dead]).catch((cause: unknown) =>
      failures.push(cause),
    );
  }
  forgetOwners(paths);
  return { freed, failures };
}

export type Collected = { readonly freed: number; readonly failures: readonly unknown[] };

/** One id is always written without help, and the helpers know only ranges. */
export function withMappers({ uid, gid }: IdMap, mappers: Mappers): IdMap {
  return [...uid, ...gid].every(({ size }) => size === 1) ? { uid, gid } : { uid, gid, ...mappers };
}

/** Names of layers in one folder of a mapping that nothing needs as far as can be seen now. */
export function unusedLayers(paths: Paths, folder: string, inUse: LayersInUse): string[] {
  const needed = neededLayers(paths);
  const used = hasLease(paths) ? undefined : inUse();
  if (used === undefined) return [];
  return layersIn(folder).filter((name) => !needed.has(name) && !used.has(join(folder, name)));
}

/** Unpacked layers, stamped or not. */
export function layersIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^[0-9a-f]{24}$/.test(name));
}

/** Renames what nobody needs, so that it is no layer any more and can be deleted at leisure. */
function setAside(paths: Paths, folder: string, inUse: LayersInUse): { readonly path: string; readonly size: number }[] {
  const taken = unusedLayers(paths, folder, inUse).flatMap((name) => {
    const lock = tryHold(layerLock(folder, name));
    return lock === undefined ? [] : [{ name, lock, stamp: takeStamp(folder, name) }];
  });
  try {
    const unused = new Set(taken.length === 0 ? [] : unusedLayers(paths, folder, inUse));
    return taken.flatMap(({ name, stamp }) => {
      if (unused.has(name)) {
        const path = temporaryName(join(folder, name));
        renameSync(join(folder, name), path);
        return [{ path, size: sizeIn(stamp) }];
      }
      if (stamp !== undefined) writeAtomically(stampFile(folder, name), stamp);
      return [];
    });
  } finally {
    for (const { lock } of taken) lock[Symbol.dispose]();
  }
}

/** Stamps of layers that lie in another folder, and are not there any more. */
function forgetShared(folder: string): void {
  for (const file of readdirSync(folder).filter((name) => /^[0-9a-f]{24}\.json$/.test(name))) {
    const home = sharedWith(join(folder, file));
    if (home !== undefined && !existsSync(join(folder, '..', home, file.slice(0, 24)))) rmSync(join(folder, file), { force: true });
  }
}

function sharedWith(stamp: string): string | undefined {
  try {
    const { in: home } = JSON.parse(readFileSync(stamp, 'utf8')) as LayerStamp;
    return typeof home === 'string' && /^[0-9a-f]{16}$/.test(home) ? home : undefined;
  } catch {
    return undefined;
  }
}

/** What is known of the owners of layers that no image has any more. */
function forgetOwners(paths: Paths): void {
  const folder = ownersFolder(paths);
  if (!existsSync(folder) || hasLease(paths)) return;
  const needed = neededLayers(paths);
  for (const file of readdirSync(folder)) if (!needed.has(file.slice(0, 24))) rmSync(join(folder, file), { force: true });
}

function takeStamp(folder: string, name: string): string | undefined {
  const file = stampFile(folder, name);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  rmSync(file, { force: true });
  return text;
}

function neededLayers(paths: Paths): Set<string> {
  const needed = new Set<string>();
  const seen = new Set<string>();
  for (const image of listImages(paths)) {
    if (seen.has(image.id)) continue;
    seen.add(image.id);
    try {
      for (const diffId of readConfig(paths, image).diffIds) needed.add(layerName(diffId));
    } catch {
      // A lost or damaged configuration: nobody can say what the image needs, and a new pull will say it again.
    }
  }
  return needed;
}

function sizeIn(stamp: string | undefined): number {
  try {
    const { size } = JSON.parse(stamp ?? '{}') as { size?: unknown };
    return typeof size === 'number' ? size : 0;
  } catch {
    return 0;
  }
}
