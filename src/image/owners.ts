/** Who owns the files of layers: what an id map must hold for an image, whichever map its layers are unpacked for. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { type IdMapping, runHelper, startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { writeAtomically } from './atomic.ts';
import type { Digest } from './digest.ts';
import type { LayerOrigin } from './ensure.ts';
import { type IdRuns, layerName, type LayerStamp, mapFolders, type Owners, readStamp } from './layers.ts';

/** Of a layer that was refused: asked again each time a container of its image starts. */
export const ownersFolder = (paths: Paths): string => join(paths.data, 'owners');

export const ownersFile = (paths: Paths, diffId: Digest): string => join(ownersFolder(paths), `${layerName(diffId)}.json`);

/** All owners of an image's files, as far as they were looked at before; undefined if one layer was not. */
export function knownOwners(paths: Paths, diffIds: readonly Digest[]): Owners | undefined {
  const folders = mapFolders(paths);
  const each = [...new Set(diffIds)].map((diffId) => ownersOf(paths, diffId, folders));
  return each.includes(undefined) ? undefined : mergeOwners(each.filter((owners) => owners !== undefined));
}

/** Reads the layers that nothing is known of. @throws RootlessError LAYER_UNPACK_FAILED */
export async function learnOwners(paths: Paths, origins: readonly LayerOrigin[], signal?: AbortSignal): Promise<Owners> {
  const folders = mapFolders(paths);
  const all: Owners[] = [];
  for (const origin of origins) {
    signal?.throwIfAborted();
    const known = ownersOf(paths, origin.diffId, folders);
    const owners = known ?? (await readOwners(paths, origin, signal));
    if (known === undefined) writeAtomically(ownersFile(paths, origin.diffId), JSON.stringify({ diffId: origin.diffId, ...owners }));
    all.push(owners);
  }
  return mergeOwners(all);
}

/** Of an unpacked layer. Stamps of older versions say only how high they go. */
export function stampedOwners({ ids, maxUid, maxGid }: LayerStamp): Owners {
  return ids ?? { uid: [[0, maxUid + 1]], gid: [[0, maxGid + 1]] };
}

export function mergeOwners(all: readonly Owners[]): Owners {
  return { uid: mergeRuns(all.flatMap(({ uid }) => uid)), gid: mergeRuns(all.flatMap(({ gid }) => gid)) };
}

type Maps = { readonly uid: readonly IdMapping[]; readonly gid: readonly IdMapping[] };

/** Both maps give these owners the same ids on the host; and root, who owns what no entry of a layer describes. */
export function agree(one: Maps, other: Maps, owners: Owners): boolean {
  const same = (kind: 'uid' | 'gid') =>
    mergeRuns([[0, 1], ...owners[kind]]).every(([first, size]) => sameOver(one[kind], other[kind], first, first + size));
  return same('uid') && same('gid');
}

/** From `at` to `end` in steps in which both maps go on in one line. */
function sameOver(one: readonly IdMapping[], other: readonly IdMapping[], from: number, end: number): boolean {
  for (let at = from; at < end; ) {
    const [a, b] = [one, other].map((map) => map.find(({ containerID, size }) => at >= containerID && at < containerID + size));
    if (a === undefined || b === undefined || a.hostID - a.containerID !== b.hostID - b.containerID) return false;
    at = Math.min(a.containerID + a.size, b.containerID + b.size);
  }
  return true;
}

function mergeRuns(runs: IdRuns): IdRuns {
  const merged: [number, number][] = [];
  for (const [first, size] of runs.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && last[0] + last[1] >= first) last[1] = Math.max(last[1], first + size - last[0]);
    else merged.push([first, size]);
  }
  return merged;
}

function ownersOf(paths: Paths, diffId: Digest, folders: readonly string[]): Owners | undefined {
  for (const folder of folders) {
    const ids = readStamp(folder, diffId)?.ids;
    if (ids !== undefined) return ids;
  }
  try {
    const { diffId: of, uid, gid } = JSON.parse(readFileSync(ownersFile(paths, diffId), 'utf8')) as Owners & { readonly diffId: Digest };
    return of === diffId ? { uid, gid } : undefined;
  } catch {
    return undefined;
  }
}

async function readOwners(paths: Paths, origin: LayerOrigin, signal: AbortSignal | undefined): Promise<Owners> {
  const { code, stdout, stderr } =
    origin.file === undefined ? await fed(paths, origin, signal) : await runHelper(paths, ['layer', 'ids', origin.file], signal);
  if (code === 0) return JSON.parse(stdout) as Owners;
  throw new RootlessError({ code: 'LAYER_UNPACK_FAILED', message: `cannot read layer ${origin.diffId}`, why: stderr.trim() });
}

async function fed(paths: Paths, origin: LayerOrigin & { readonly file?: undefined }, signal: AbortSignal | undefined) {
  const { Readable } = await import('node:stream');
  const { pipeline } = await import('node:stream/promises');
  const { child, done } = startHelper(paths, ['layer', 'ids'], ['pipe', 'pipe', 'pipe'], signal);
  // A helper that has seen enough closes its end: what it said counts.
  if (child.stdin) await pipeline(Readable.from(origin.open()), child.stdin).catch(() => {});
  return done;
}
