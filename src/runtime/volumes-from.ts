/** `--volumes-from`: the volumes and bound folders of other containers. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { MountRequest, VolumesFrom } from './options.ts';
import { findContainer } from './state.ts';

/** A target that is taken, here or by an earlier container, is left out: docker's rule. @throws RootlessError CONTAINER_NOT_FOUND */
export function mountsFrom(paths: Paths, sources: readonly VolumesFrom[], taken: readonly string[]): MountRequest[] {
  const seen = new Set(taken);
  return sources.flatMap(({ container, access }) => {
    const { options, name, status } = findContainer(paths, container);
    if (status === 'dead') {
      throw new RootlessError({ code: 'CONTAINER_DEAD', message: `cannot take the volumes of "${name}": its description is damaged` });
    }
    const found = options.mounts.filter(({ kind, target }) => (kind === 'bind' || kind === 'volume') && !seen.has(target));
    for (const { target } of found) seen.add(target);
    return found.map((mount) => (mount.kind === 'tmpfs' || access === undefined ? mount : { ...mount, readOnly: access === 'ro' }));
  });
}
