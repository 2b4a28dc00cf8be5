/** The ids of a container once its image is known, and its layers unpacked for them. */

import { layersFolder, missingLayers } from '../image/layers.ts';
import type { Image } from '../image/resolve.ts';
import { mapWantedUser } from '../userns/choose.ts';
import type { Host } from '../userns/host.ts';
import { type Base, layersOf } from './base.ts';
import type { RunContext } from './context.ts';
import type { ContainerOptions, Mapping } from './options.ts';
import type { Layers } from './root.ts';

/** Whether the image decides who stands for the caller: nobody chose, and something of the host is mounted. */
export function mayFit({ userns, mounts, volumesFrom, network }: ContainerOptions, host: Host, { mode }: Mapping): boolean {
  if (network === 'container') return false;
  const mounted = volumesFrom.length > 0 || mounts.some(({ kind }) => kind === 'bind');
  return userns.kind === 'host' && !userns.chosen && mode !== 'single' && host.uid !== 0 && mounted;
}

export type Undecided = {
  readonly id: string;
  /** With all mounts. */
  readonly options: ContainerOptions;
  /** `USER[:GROUP]` that the program runs as. */
  readonly user: string;
  readonly host: Host;
  readonly image: Image;
  readonly base: Base;
  /** What was chosen without the image. */
  readonly first: Mapping;
};

export async function settleIds(
  undecided: Undecided,
  context: RunContext,
): Promise<{ readonly mapping: Mapping; readonly layers: Layers }> {
  const { id, options, user, host, image, base, first } = undecided;
  const layers = layersIn(image);
  if (image.kind === 'layers' && mayFit(options, host, first)) {
    const { fitIds } = await import('./fit-ids.ts');
    const mapping = fitIds({ paths: context.paths, id, host, options, user, layers, notice: context.notice });
    if (mapping) {
      // Once an image and user: only root may mount a disk with other ids.
      const again = missingLayers(layersFolder(context.paths, mapping), image.diffIds).length > 0;
      if (again && context.progress) context.notice?.(`"${options.image}" is unpacked once more, with you as its user ${user}`);
      return { mapping, layers: await layersOf(base, options.image, mapping, { ...context, pull: 'missing' }) };
    }
  }
  // Who shares a network has the ids of the other container.
  return { mapping: options.network === 'container' ? first : mapWantedUser(first, host, user), layers };
}

function layersIn(image: Image): Layers {
  if (image.kind === 'rootfs') return { base: '/', lower: [image.dir] };
  return (image.kind === 'layers' ? image.layers : undefined) ?? { base: '/', lower: [] };
}
