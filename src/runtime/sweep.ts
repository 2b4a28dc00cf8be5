/** Takes away what a killed rootless could not: its containers that were to be removed, and their traces. */

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { asideFolder, removeTree } from './folders.ts';
import { removeContainer } from './remove.ts';
import { clearMark } from './marks.ts';
import { namesOf, releaseName } from './names.ts';
import { containerFolder, readContainer } from './state.ts';

/** `ids`: containers whose maker is gone. One that cannot be removed now is tried again by a later run. */
export async function sweep(paths: Paths, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    try {
      await sweepOne(paths, id);
    } catch {
      // Busy or half removed by another sweep: the mark stays, so that it is seen again.
    }
  }
}

async function sweepOne(paths: Paths, id: string): Promise<void> {
  const container = readContainer(paths, id);
  if (container === undefined) {
    // Killed before it was described, so that nothing ran and everything in the folder is ours; or the helper has removed it.
    rmSync(containerFolder(paths, id), { recursive: true, force: true });
    rmSync(asideFolder(paths, id), { recursive: true, force: true });
    for (const name of namesOf(paths, id)) releaseName(paths, name, id);
    clearMark(paths, id);
    return;
  }
  if (existsSync(join(paths.runtime, id))) await runHelper(paths, ['--root', paths.runtime, 'delete', '--force', id]);
  await removeTree(paths, asideFolder(paths, id), container.idMap);
  if (container.remove) return removeContainer(paths, { ...container, status: 'exited' }, true);
  clearMark(paths, id);
}
