/** What a container has outside its own folder, and who looks after it once the command line has left. */

import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import { clearMark, leaveMark, liveMark } from './marks.ts';
import { nameLink } from './names.ts';
import type { ContainerOptions } from './options.ts';
import { slotLink } from './slots.ts';
import { type Container, containerFolder } from './state.ts';
import { readLife } from './status.ts';

/** Links and files that go when the helper removes it (`--rm`). The folder aside of `host:` has to be swept, for which its mark stays. */
export function tracesOf(paths: Paths, { id, name, slot, idMap, base, options }: Container): string[] {
  return [
    nameLink(paths, name),
    ...(slot ? [slotLink(paths, idMap)] : []),
    ...volumeLinks(paths, options),
    ...(base.kind === 'host' ? [] : [liveMark(paths, id)]),
  ];
}

/** Volumes without a name lie in the container's folder then; one that another container took over is a folder, and stays. */
function volumeLinks(paths: Paths, { mounts }: ContainerOptions): string[] {
  return mounts.flatMap((mount) =>
    mount.kind === 'volume' && mount.anonymous && mount.name ? [join(paths.data, 'volumes', mount.name)] : [],
  );
}

/** The mark names the monitor from now on. @returns false when the container is gone already */
export function watchOver(paths: Paths, id: string): boolean {
  const folder = containerFolder(paths, id);
  const life = readLife(folder);
  if (life) leaveMark(paths, id, life.monitor);
  if (lstatSync(folder, { throwIfNoEntry: false })) return true;
  clearMark(paths, id);
  return false;
}
