/** The root filesystem's plan: which folders are stacked, and where writes go. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RootPlan } from './spec.ts';
import type { Storage } from './storage.ts';
import { makeFolders } from '../paths.ts';

/** Top first; relative names start at `base`. */
export type Layers = { readonly base: string; readonly lower: readonly string[] };

/**
 * Makes the folders that the plan names inside the container's own folder. `throwaway`: nothing needs to reach the disk in order.
 * `filled`: an earlier launch made a merged copy, which is the root filesystem from then on.
 */
export function planRoot(folder: string, layers: Layers, storage: Storage, throwaway: boolean, filled = false): RootPlan {
  const path = join(folder, 'rootfs');
  makeFolders(path, 0o755);
  if (filled) return { path };
  const upper = join(folder, 'upper');
  if (storage.kind === 'copy') {
    // What an earlier launch wrote, where overlays could be had, is the topmost layer.
    const lower = existsSync(upper) ? [upper, ...layers.lower] : layers.lower;
    return { path, annotation: { name: 'io.rootless.copy', value: JSON.stringify({ ...layers, lower }) } };
  }
  const work = join(folder, 'work');
  makeFolders(upper, 0o755);
  makeFolders(work, 0o755);
  const program = storage.kind === 'fuse' ? { program: storage.program } : {};
  // Who is not mapped stands in the base to reach what is written: a folder of the user's (`rootfs:`) has none near.
  const base = layers.base === '/' ? folder : layers.base;
  const value = JSON.stringify({ ...layers, base, upper, work, ...(throwaway ? { volatile: true } : {}), ...program });
  return { path, annotation: { name: 'io.rootless.overlay', value } };
}
