/** Removes a container: ends it if that was asked for, then takes away its folder, name, ids and mark. */

import { existsSync } from 'node:fs';
import type { IdMap } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { chooseMapping } from '../userns/choose.ts';
import { readHost } from '../userns/host.ts';
import { type Maker, ourselves } from './alive.ts';
import { tellContainer } from './events.ts';
import { asideFolder, removeTree } from './folders.ts';
import { forgetState } from './leftovers.ts';
import { holderOf, takeAway } from './links.ts';
import { withLock } from './lock.ts';
import { clearMark, leaveMark, markedBy, markOf } from './marks.ts';
import { askMonitor } from './monitor-client.ts';
import { killMonitor, monitorEnded } from './monitor-end.ts';
import { namesOf, releaseName } from './names.ts';
import { isNeeded, stillRuns } from './refusals.ts';
import { dependents, unlinkRequirements } from './requires.ts';
import { slotLink } from './slots.ts';
import { containerFolder, isActive, type Listed, readContainer } from './state.ts';
import { stopContainer } from './stop.ts';

export type RemoveWish = {
  readonly force: boolean;
  /** Seconds between its stop signal and SIGKILL; SIGKILL at once without it. */
  readonly timeout?: number | undefined;
  /** Containers that need it go first. */
  readonly depend?: boolean | undefined;
  /** Its volumes without a name go too, unless another container has them. */
  readonly volumes?: boolean | undefined;
};

/** Milliseconds for a monitor to end with its container. */
const patience = 3000;

/** @throws RootlessError CONTAINER_RUNNING, CONTAINER_PAUSED without `force`, CONTAINER_NEEDED, REMOVE_FAILED */
export async function removeContainer(paths: Paths, container: Listed, wish: RemoveWish): Promise<void> {
  await removeDependents(paths, container, wish);
  if (wish.force) await end(paths, container, wish.timeout);
  await withLock(paths, container.id, async () => {
    const found = readContainer(paths, container.id);
    if (found && !wish.force && runs(paths, found)) throw stillRuns(found.name, 'remove', found.status);
    if (found?.life) await settle(found.life);
    const there = existsSync(containerFolder(paths, container.id));
    await removeTraces(paths, found ?? container);
    // With `--rm` the monitor has done it, and has told of it.
    if (there || !container.remove) tellContainer(paths, found ?? container, 'destroy');
  });
  if (wish.volumes || container.remove) await removeVolumes(paths, container);
}

/** Everything that an ended container has, whatever state it is in. The mark makes a removal that is cut short go on later. */
export async function removeTraces(paths: Paths, container: Listed): Promise<void> {
  const { id, name, slot } = container;
  const watcher = markedBy(paths, id);
  leaveMark(paths, id, ourselves());
  await forgetState(paths, id);
  // Whoever watched over it, although nothing says so any more, ends when the program does.
  if (watcher && watcher.pid !== process.pid) await settle({ monitor: watcher });
  const idMap = container.idMap.uid.length > 0 ? container.idMap : usualMap();
  unlinkRequirements(paths, container);
  await removeTree(paths, asideFolder(paths, id), idMap);
  await removeTree(paths, containerFolder(paths, id), idMap);
  if (slot && holderOf(slotLink(paths, idMap)) === id) takeAway(slotLink(paths, idMap), id);
  releaseName(paths, name, id);
  if (container.status === 'dead') for (const other of namesOf(paths, id)) releaseName(paths, other, id);
  clearMark(paths, id);
}

async function removeVolumes(paths: Paths, { id, options }: Listed): Promise<void> {
  if (!options.mounts.some((mount) => mount.kind === 'volume' && mount.anonymous)) return;
  const { removeOwnVolumes } = await import('./volume-remove.ts');
  await removeOwnVolumes(paths, id, options.mounts);
}

/** For a container that does not say any more which ids its files have. */
function usualMap(): IdMap {
  return chooseMapping({ kind: 'host' }, readHost([])).idMap;
}

/** A monitor that does not answer is killed, and its container with it. */
async function end(paths: Paths, { id, name }: Listed, timeout: number | undefined): Promise<void> {
  const found = readContainer(paths, id);
  if (found === undefined || !isActive(found)) return;
  let answered = true;
  if (timeout === undefined) {
    const request = { op: 'stop', signal: 9, timeout: 0 } as const;
    answered = (await askMonitor(paths, id, request, AbortSignal.timeout(patience)).catch(() => undefined)) !== undefined;
  } else await stopContainer(paths, { id, name }, { timeout }).catch(() => undefined);
  if (found.life) await settle(found.life, answered ? patience : 0);
}

async function settle({ monitor }: { readonly monitor: Maker }, milliseconds = patience): Promise<void> {
  if (await monitorEnded(monitor, milliseconds)) return;
  killMonitor(monitor);
  await monitorEnded(monitor, patience);
}

async function removeDependents(paths: Paths, { id, name }: Listed, wish: RemoveWish): Promise<void> {
  for (const other of dependents(paths, id)) {
    const dependent = readContainer(paths, other);
    if (dependent === undefined) continue;
    if (wish.depend) await removeContainer(paths, dependent, wish);
    else throw isNeeded(name, dependent.name);
  }
}

/** One whose description is lost may still run: somebody watches over it then. */
function runs(paths: Paths, container: Listed): boolean {
  return isActive(container) || (container.status === 'dead' && markOf(paths, container.id) === 'alive');
}
