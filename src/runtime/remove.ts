/** Removes a container: ends it if that was asked for, then takes away its folder, name and mark. */

import { setTimeout as sleep } from 'node:timers/promises';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { isAlive } from './alive.ts';
import { asideFolder, removeTree } from './folders.ts';
import { clearMark } from './marks.ts';
import { releaseName } from './names.ts';
import { containerFolder, type Listed, readContainer } from './state.ts';

/** Milliseconds for a killed container's maker to write down how it ended. */
const patience = 10_000;

/** @throws RootlessError CONTAINER_RUNNING without `force`, CONTAINER_STUCK, REMOVE_FAILED */
export async function removeContainer(paths: Paths, container: Listed, force: boolean): Promise<void> {
  if (container.status === 'running') {
    if (!force) {
      throw new RootlessError({
        code: 'CONTAINER_RUNNING',
        message: `cannot remove container "${container.name}": it is running`,
        fix: `rootless rm -f ${container.name}`,
      });
    }
    await end(paths, container);
  }
  // With --rm the maker has removed everything by now; after a kill -9 of the maker the helper may still know the container.
  await runHelper(paths, ['--root', paths.runtime, 'delete', '--force', container.id]);
  await removeTree(paths, asideFolder(paths, container.id), container.idMap);
  await removeTree(paths, containerFolder(paths, container.id), container.idMap);
  releaseName(paths, container.name, container.id);
  clearMark(paths, container.id);
}

async function end(paths: Paths, container: Listed): Promise<void> {
  await runHelper(paths, ['--root', paths.runtime, 'kill', container.id, 'KILL']);
  const deadline = performance.now() + patience;
  while (readContainer(paths, container.id)?.status === 'running' && isAlive(container.maker)) {
    if (performance.now() > deadline) {
      throw new RootlessError({
        code: 'CONTAINER_STUCK',
        message: `container "${container.name}" was killed and has not ended`,
        why: `the rootless that started it (process ${container.maker.pid}) still waits`,
      });
    }
    await sleep(20);
  }
}
