/** Unpacked layers in $DATA/layers/MAP, found without any work: what a warm start reads. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { IdMap, IdMapping } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { type Digest, hexOf } from './digest.ts';

/** How ids of files are stored; runtime's Mapping fits. */
export type LayerMapping = { readonly idMap: IdMap; readonly mode: 'ranges' | 'direct' | 'single' };

/** What an overlay needs: `lower` is top first, relative to `base`. */
export type LayerStack = { readonly base: string; readonly lower: readonly string[] };

/** What is known of an unpacked layer; written last, so its presence says that the layer is whole. */
export type LayerStamp = {
  readonly diffId: Digest;
  readonly size: number;
  readonly entries: number;
  readonly maxUid: number;
  readonly maxGid: number;
  /** Owners of its files; stamps of older versions have only the highest. */
  readonly ids?: Owners;
  /** The layer lies in this other folder of `layers/`, whose mapping gives its files the same ids (share.ts). */
  readonly in?: string;
};

/** Ids as runs, `[first, size]`, in order. */
export type IdRuns = readonly (readonly [number, number])[];

/** Who owns files, as containers see it. */
export type Owners = { readonly uid: IdRuns; readonly gid: IdRuns };

/** The folder of all layers unpacked with one mapping. */
export function layersFolder(paths: Paths, mapping: LayerMapping): string {
  return join(paths.data, 'layers', fingerprint(mapping));
}

/** The same in stores that are only read. */
export function otherFolders(paths: Paths, mapping: LayerMapping): string[] {
  if (paths.additional.length === 0) return [];
  const name = fingerprint(mapping);
  return paths.additional.map((store) => join(store, 'layers', name));
}

/**
 * 16 hex digits that name a mapping: two FNV-1a sums of the extents and the mode. Not sha256: loading node:crypto costs 4 ms of
 * every start, and nobody but the owner chooses the input. `map.json` in the folder holds the whole and is compared before writing.
 */
export function fingerprint(mapping: LayerMapping): string {
  let [high, low] = [0x811c9dc5, 0x01000193];
  const text = canonicalMapping(mapping);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ (code + at), 0x01000193);
  }
  return [high, low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/** The parts of a mapping that decide what is on disk, as text. `ranges` and `direct` write the same files. */
export function canonicalMapping({ idMap, mode }: LayerMapping): string {
  const extents = (list: readonly IdMapping[]) =>
    list.map(({ containerID, hostID, size }) => [containerID, hostID, size]).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  return JSON.stringify({ uid: extents(idMap.uid), gid: extents(idMap.gid), single: mode === 'single' });
}

export function layerName(diffId: Digest): string {
  return hexOf(diffId).slice(0, 24);
}

/** Held by whoever unpacks or deletes this layer. */
export function layerLock(folder: string, name: string): string {
  return join(folder, `${name}.lock`);
}

export function stampFile(folder: string, name: string): string {
  return join(folder, `${name}.json`);
}

/** The folders of all mappings that layers were unpacked with. */
export function mapFolders(paths: Paths): string[] {
  const root = join(paths.data, 'layers');
  return existsSync(root) ? readdirSync(root).map((name) => join(root, name)) : [];
}

/** The mapping of such a folder; undefined when its record is not there yet, or damaged. */
export function readMap(folder: string): (Pick<IdMap, 'uid' | 'gid'> & { readonly single: boolean }) | undefined {
  try {
    const { uid, gid, single } = JSON.parse(readFileSync(join(folder, 'map.json'), 'utf8')) as StoredMap;
    const extents = (list: StoredMap['uid']) => list.map(([containerID, hostID, size]) => ({ containerID, hostID, size }));
    return { uid: extents(uid), gid: extents(gid), single: single === true };
  } catch {
    return undefined;
  }
}

type StoredMap = { readonly uid: [number, number, number][]; readonly gid: [number, number, number][]; readonly single?: boolean };

/** The stamp, or undefined when the layer is not there. @throws RootlessError LAYER_COLLISION */
export function readStamp(folder: string, diffId: Digest): LayerStamp | undefined {
  const stamp = parseStamp(folder, diffId);
  if (stamp === undefined) return undefined;
  if (stamp.diffId !== diffId) {
    throw new RootlessError({
      code: 'LAYER_COLLISION',
      message: `layer "${diffId}" cannot be told from another`,
      why: `"${join(folder, layerName(diffId))}" holds ${stamp.diffId}`,
    });
  }
  // A layer that is shared can be collected where it lies.
  return stamp.in !== undefined && parseStamp(beside(folder, stamp.in), diffId) === undefined ? undefined : stamp;
}

function parseStamp(folder: string, diffId: Digest): LayerStamp | undefined {
  try {
    return JSON.parse(readFileSync(stampFile(folder, layerName(diffId)), 'utf8')) as LayerStamp;
  } catch {
    return undefined;
  }
}

/** Another mapping's folder. */
function beside(folder: string, name: string): string {
  return join(dirname(folder), name);
}

/** The layer's own folder, whether it is there or not: of this mapping, or the one that it is shared with. */
export function layerFolder(folder: string, diffId: Digest): string {
  const shared = parseStamp(folder, diffId)?.in;
  return join(shared === undefined ? folder : beside(folder, shared), layerName(diffId));
}

/** The layers that have to be unpacked first, each once, bottom first. */
export function missingLayers(folder: string, diffIds: readonly Digest[], others: readonly string[] = []): Digest[] {
  return [...new Set(diffIds)].filter((diffId) => [folder, ...others].every((one) => readStamp(one, diffId) === undefined));
}

/**
 * Top first. A layer that comes twice counts where it is uppermost: there it hides everything of its lower self, and the
 * kernel refuses the same folder twice (ELOOP). Layers that only another store has are named by their whole path.
 */
export function stackOf(folder: string, diffIds: readonly Digest[], others: readonly string[] = []): LayerStack {
  const once = [...new Set(diffIds.toReversed())];
  if (others.length === 0) return { base: folder, lower: once.map((diffId) => relative(folder, layerFolder(folder, diffId))) };
  const homes = once.map((diffId) => [folder, ...others].find((one) => readStamp(one, diffId) !== undefined) ?? folder);
  // The base has to be there, and ours need not.
  const base = homes.includes(folder) ? folder : (homes[0] ?? folder);
  const place = (diffId: Digest, home = folder) => (home === base ? relative(base, layerFolder(base, diffId)) : layerFolder(home, diffId));
  return { base, lower: once.map((diffId, at) => place(diffId, homes[at])) };
}
