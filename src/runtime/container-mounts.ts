/** The mounts of a container in two steps: all of them when it is made, what stands behind each at every launch. */

import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import type { MountBacking } from './mounts.ts';
import type { ContainerOptions } from './options.ts';
import type { MountsNeed } from './volumes.ts';

/**
 * When a container is made, once: with the mounts of `--volumes-from` and the image's VOLUMEs, and a name for each volume.
 * `passing`: it goes when its program ends, and nobody can ask for it by a name of their choice. Then a VOLUME of the image stays in
 * the container's own layer, beside what the image has there, unless the root filesystem is read-only: nobody can tell the
 * difference, and nothing has to be copied.
 */
export async function settleMounts(
  paths: Paths,
  options: ContainerOptions,
  imageVolumes: readonly string[],
  passing: boolean,
): Promise<ContainerOptions> {
  const own = passing && !options.readOnly ? [] : imageVolumes;
  const nothing = own.length === 0 && options.volumesFrom.length === 0 && options.mounts.every(({ kind }) => kind !== 'volume');
  if (nothing) return options;
  const { allMounts } = await import('./volumes.ts');
  return { ...options, mounts: allMounts(paths, options, own) };
}

/** At each launch, with the options that settleMounts made. */
export async function backMounts(need: MountsNeed): Promise<Record<string, MountBacking>> {
  const plain = need.options.mounts.every(
    (mount) => mount.kind === 'tmpfs' || (mount.kind === 'bind' && !mount.createSource && !mount.overlay),
  );
  if (plain) return {};
  if (need.dry) return nothingMade(need);
  const volumes = await import('./volumes.ts');
  return volumes.backMounts(need);
}

/** Where volumes would be. */
function nothingMade({ paths, options }: MountsNeed): Record<string, MountBacking> {
  const backings = options.mounts.flatMap((mount) =>
    mount.kind === 'volume'
      ? [[mount.target, { kind: 'path', source: join(paths.data, 'volumes', mount.name ?? '', '_data') }] as const]
      : [],
  );
  return Object.fromEntries(backings);
}
