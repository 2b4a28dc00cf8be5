/** Which containers have a volume: users/ID in its folder, written before it is used, so that nobody removes it meanwhile. */

import { existsSync, readlinkSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders, type Paths } from '../paths.ts';
import { markOf } from './marks.ts';
import { containerFolder } from './state.ts';
import { isLodger, namesIn, type Volume, volumesFolder } from './volume-store.ts';

/** Under the lock. `ids` are those that this container stores files with. Claims of containers that are no more are forgotten. */
export function claimVolume(paths: Paths, volume: Volume, id: string, ids: string): void {
  const users = join(volume.folder, 'users');
  makeFolders(users, 0o711);
  const current = usersOf(paths, volume);
  for (const user of namesIn(users)) if (!current.includes(user)) rmSync(join(users, user), { force: true });
  writeFileSync(join(users, id), ids, { mode: 0o600 });
}

/** Ids of the containers that have it, running or not. What a container left that is no more does not count. */
export function usersOf(paths: Paths, { folder }: Pick<Volume, 'folder'>): string[] {
  return namesIn(join(folder, 'users')).filter((id) => existsSync(containerFolder(paths, id)) || markOf(paths, id) === 'alive');
}

/** Under the lock: a volume that lodges with its container gets a place of its own, because another one uses it too. */
export function settleVolume({ folder, name }: Volume): void {
  if (!isLodger(folder, name)) return;
  const place = join(folder, '..', readlinkSync(folder));
  unlinkSync(folder);
  renameSync(place, folder);
}

/** Links of volumes that went with their container. */
export function sweepLinks(paths: Paths): void {
  const folder = volumesFolder(paths);
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    if (isLodger(path, name) && !existsSync(path)) unlinkSync(path);
  }
}
