/** How a root filesystem can be stacked on layers here: the kernel's overlay, fuse-overlayfs, or a copy. Tried once a boot. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type IdMap, runHelper } from '../helper.ts';
import { bootId } from '../liveness.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { findProgram } from '../programs.ts';
import { replace } from './replace.ts';

export type Storage = { readonly kind: 'overlay' } | { readonly kind: 'fuse'; readonly program: string } | { readonly kind: 'copy' };

type Remembered = { readonly bootId: string; readonly device: number; readonly storage: Storage };

/** The answer holds for one boot and one filesystem: the kernel, its options or the disk under $DATA may change with either. */
export async function chooseStorage(paths: Paths, idMap: IdMap, searchPath: readonly string[], signal?: AbortSignal): Promise<Storage> {
  const folder = join(paths.data, 'containers');
  const key = { bootId: bootId(), device: deviceOf(folder) };
  const file = join(paths.data, 'storage.json');
  const known = recall(file);
  if (known?.bootId === key.bootId && known.device === key.device) return known.storage;
  const storage = await probe(paths, idMap, folder, findProgram('fuse-overlayfs', searchPath), signal);
  replace(file, JSON.stringify({ ...key, storage }));
  return storage;
}

async function probe(paths: Paths, idMap: IdMap, folder: string, fuse: string | undefined, signal?: AbortSignal): Promise<Storage> {
  const overlay = `overlay=${folder}`;
  const mounted = fuse === undefined ? undefined : `fuse=${fuse}:${folder}`;
  const result = await runHelper(paths, ['probe', '--idmap', JSON.stringify(idMap), overlay, ...(mounted ? [mounted] : [])], signal);
  const answers = JSON.parse(result.stdout || '{}') as Record<string, { ok: boolean } | undefined>;
  if (answers[overlay]?.ok) return { kind: 'overlay' };
  return fuse !== undefined && mounted !== undefined && answers[mounted]?.ok ? { kind: 'fuse', program: fuse } : { kind: 'copy' };
}

function deviceOf(folder: string): number {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat) return stat.dev;
  makeFolders(folder, 0o711);
  return statSync(folder).dev;
}

function recall(file: string): Remembered | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Remembered;
  } catch {
    return undefined;
  }
}
