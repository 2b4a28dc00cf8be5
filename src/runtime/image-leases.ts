/** Images that a shell of `unshare` looks at (`image mount`): a note beside the mount keeps their layers for as long as it is there. */

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders, type Paths } from '../paths.ts';
import { isAlive, type Maker, ourselves } from './alive.ts';
import { replace } from './replace.ts';

type Lease = { readonly maker: Maker; readonly layers: readonly string[] };

/** Where the mounts are. */
export const mountsFolder = (paths: Paths): string => join(paths.runtime, 'image-mounts');

/** Before it is looked whether the layers are there: whoever deletes layers sees the note, or is seen. */
export function leaseLayers(paths: Paths, path: string, layers: readonly string[]): void {
  makeFolders(mountsFolder(paths), 0o700);
  replace(`${path}.lease`, JSON.stringify({ maker: ourselves(), layers } satisfies Lease));
}

/** Layers that somebody looks at; notes of mounts that are gone are cleared away. */
export function leasedLayers(paths: Paths): string[] {
  const folder = mountsFolder(paths);
  return names(folder)
    .filter((name) => name.endsWith('.lease'))
    .flatMap((name) => {
      const lease = readLease(join(folder, name));
      const path = join(folder, name.slice(0, -'.lease'.length));
      if (lease && (isAlive(lease.maker) || isMounted(path))) return lease.layers;
      rmSync(join(folder, name), { force: true });
      return [];
    });
}

/** In the namespace of any process that may be asked. */
function isMounted(path: string): boolean {
  return names('/proc').some((pid) => /^\d+$/.test(pid) && read(`/proc/${pid}/mountinfo`).includes(` ${path} `));
}

function readLease(file: string): Lease | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Lease;
  } catch {
    return undefined;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
