/** Changes the limits and the restart policy of a container, also while it runs. */

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { deviceNumber } from '../cgroup/devices.ts';
import { toResources } from '../cgroup/limits.ts';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { changeMonitor } from './change-monitor.ts';
import { tellContainer } from './events.ts';
import { withLock } from './lock.ts';
import type { OciConfig } from './oci.ts';
import type { ContainerOptions } from './options.ts';
import { isDead } from './refusals.ts';
import { replace } from './replace.ts';
import { containerFolder, describe, isRunning, type Listed, readContainer } from './state.ts';

export type Change = Partial<Pick<ContainerOptions, 'limits' | 'restart' | 'health'>>;

/**
 * `change` gets what the container has.
 * @throws RootlessError LIMITS_NOT_POSSIBLE for one that runs without a cgroup of its own, UPDATE_REFUSED, CONTAINER_DEAD, FLAGS_CONFLICT
 */
export async function updateContainer(
  paths: Paths,
  { id, name }: Pick<Listed, 'id' | 'name'>,
  change: (options: ContainerOptions) => Change,
): Promise<void> {
  await withLock(paths, id, async () => {
    const found = readContainer(paths, id);
    if (found === undefined || found.status === 'dead') throw isDead(name, 'update');
    const changed = change(found.options);
    if (changed.restart && changed.restart.policy !== 'no' && found.remove) throw removedAtEnd(name);
    if (changed.limits && isRunning(found)) await limit(paths, found, toResources(changed.limits, deviceNumber));
    describe(paths, { ...found, options: { ...found.options, ...changed } });
    const { restart } = changed;
    if (restart) await changeMonitor(paths, id, (old) => ({ ...old, restart }));
    tellContainer(paths, found, 'update');
  });
}

/** The helper writes what is given; what is not given stays as it is. */
async function limit(paths: Paths, { id, name }: Listed, resources: object): Promise<void> {
  if (!hasCgroup(paths, id)) {
    throw new RootlessError({
      code: 'LIMITS_NOT_POSSIBLE',
      message: `cannot limit container "${name}" while it runs: it has no cgroup of its own`,
      why: 'it was started without limits, where no systemd gives every container one',
      fix: `rootless stop ${name}, then update it, then start it`,
    });
  }
  const file = join(containerFolder(paths, id), 'resources.json');
  replace(file, JSON.stringify(resources));
  const { failure } = await runHelper(paths, ['--root', paths.runtime, 'update', '--resources', file, id]);
  rmSync(file, { force: true });
  if (failure === undefined) return;
  throw new RootlessError({
    code: 'UPDATE_REFUSED',
    message: `cannot update container "${name}": ${[failure.target, failure.errno, failure.message].filter(Boolean).join(': ')}`,
    why: 'the kernel refused the limit',
    cause: failure,
  });
}

function hasCgroup(paths: Paths, id: string): boolean {
  try {
    const config = JSON.parse(readFileSync(join(containerFolder(paths, id), 'config.json'), 'utf8')) as OciConfig;
    return config.linux.cgroupsPath !== undefined;
  } catch {
    return false;
  }
}

function removedAtEnd(name: string): RootlessError {
  return new RootlessError({
    code: 'FLAGS_CONFLICT',
    message: `cannot update container "${name}": restart policy cannot be updated because AutoRemove is enabled for the container`,
    why: 'it was made with --rm',
  });
}
