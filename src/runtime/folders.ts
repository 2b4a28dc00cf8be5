/** Folders of a container beside its own, and how trees that hold files of mapped ids are removed. */

import { lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { type IdMap, runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';

/** Takes what `host:` cannot store in the container's own folder. */
export const asideFolder = (paths: Paths, id: string): string => join(paths.runtime, 'aside', id);

/** @throws RootlessError REMOVE_FAILED */
export async function removeTree(paths: Paths, folder: string, idMap: IdMap): Promise<void> {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return;
  try {
    rmSync(folder, { recursive: true });
    return;
  } catch {
    // Files of mapped ids: only inside the mapping may they be removed.
  }
  const { failure, code, stderr } = await runHelper(paths, ['remove', '--idmap', JSON.stringify(idMap), folder]);
  if (code === 0 || lstatSync(folder, { throwIfNoEntry: false }) === undefined) return;
  throw new RootlessError({
    code: 'REMOVE_FAILED',
    message: `cannot remove "${folder}"`,
    why: failure ? [failure.step, failure.target, failure.errno, failure.message].filter(Boolean).join(' ') : stderr.trim(),
    cause: failure,
  });
}
