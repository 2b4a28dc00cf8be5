/** Removes a container: ends it if that was asked for, then takes away its folder, name and mark. */

import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { isAlive } from './alive.ts';
import { clearMark, containerFolder, type Listed, readContainer, releaseName } from './state.ts';

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
  await removeFolder(paths, container);
  releaseName(paths, container.name);
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

async function removeFolder(paths: Paths, container: Listed): Promise<void> {
  const folder = containerFolder(paths, container.id);
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Files of mapped ids: only inside the mapping may they be removed.
    const { failure, code, stderr } = await runHelper(paths, ['remove', '--idmap', JSON.stringify(container.idMap), folder]);
    if (code === 0) return;
    throw new RootlessError({
      code: 'REMOVE_FAILED',
      message: `cannot remove "${folder}"`,
      why: failure === undefined ? stderr.trim() : [failure.step, failure.target, failure.errno, failure.message].filter(Boolean).join(' '),
      cause: failure,
    });
  }
}
