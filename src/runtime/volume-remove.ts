/** Removing volumes: one that a container has stays; its files go as mapped ids. */

import { existsSync, lstatSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { IdMap } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { readHost } from '../userns/host.ts';
import { tellEvent } from './events.ts';
import { removeTree } from './folders.ts';
import { newId } from './ids.ts';
import type { MountRequest } from './options.ts';
import { wholeMap } from './volume-ids.ts';
import { sweepLinks, usersOf } from './volume-claims.ts';
import { changeVolumes, findVolume, readVolume, volumesFolder } from './volume-store.ts';

/** @throws RootlessError VOLUME_NOT_FOUND, VOLUME_IN_USE, REMOVE_FAILED */
export async function removeVolume(paths: Paths, name: string, idMap: IdMap): Promise<void> {
  const away = await changeVolumes(paths, () => {
    const volume = findVolume(paths, name);
    const users = usersOf(paths, volume);
    if (users.length > 0) throw inUse(name, users);
    // What is left of an earlier removal that could not be finished has such a name too.
    const away = join(volumesFolder(paths), `.gone-${newId().slice(0, 16)}`);
    renameSync(volume.folder, away);
    return away;
  });
  await removeTree(paths, away, idMap);
  tellEvent(paths, { type: 'volume', action: 'destroy', id: name, attributes: { driver: 'local' } });
}

/** Volumes without a name of a container that is being removed, except those that another one has too. */
export async function removeOwnVolumes(paths: Paths, id: string, mounts: readonly MountRequest[]): Promise<void> {
  const names = mounts.flatMap((mount) => (mount.kind === 'volume' && mount.anonymous && mount.name !== undefined ? [mount.name] : []));
  if (names.length === 0) return;
  await changeVolumes(paths, () => sweepLinks(paths));
  const idMap = wholeMap(readHost([]));
  for (const name of names) {
    const volume = readVolume(paths, name);
    if (volume === undefined || usersOf(paths, volume).some((user) => user !== id)) continue;
    await removeVolume(paths, name, idMap);
  }
}

/** Takes away what removals that were stopped have left. */
export async function sweepVolumes(paths: Paths, leftovers: readonly string[], idMap: IdMap): Promise<void> {
  for (const name of leftovers) {
    const path = join(volumesFolder(paths), name);
    if (existsSync(path) || lstatSync(path, { throwIfNoEntry: false })) await removeTree(paths, path, idMap);
  }
}

function inUse(name: string, users: readonly string[]): RootlessError {
  return new RootlessError({
    code: 'VOLUME_IN_USE',
    message: `cannot remove volume "${name}": volume is in use - [${users.join(', ')}]`,
    why: users.length === 1 ? 'this container has it, running or not' : 'these containers have it, running or not',
    fix: `rootless rm ${users.map((id) => id.slice(0, 12)).join(' ')}`,
  });
}
