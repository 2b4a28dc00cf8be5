/** The ids of a container once its image is known, and its layers unpacked for them. */

import type { Widen } from '../image/fit-layers.ts';
import { layersFolder, missingLayers } from '../image/layers.ts';
import type { Image } from '../image/resolve.ts';
import { mapWantedUser } from '../userns/choose.ts';
import type { Host } from '../userns/host.ts';
import type { Base } from './base.ts';
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

export type Settled = { readonly mapping: Mapping; readonly layers: Layers };

export async function settleIds(undecided: Undecided, context: RunContext): Promise<Settled> {
  const { id, options, user, host, image, first } = undecided;
  const found = { mapping: ofImage(first, image), layers: layersIn(image) };
  if (image.kind !== 'layers') return { ...found, mapping: mapWantedUser(first, host, user) };
  if (mayFit(options, host, first)) {
    const { fitIds } = await import('./fit-ids.ts');
    const mapping = fitIds({ paths: context.paths, id, host, options, user, layers: found.layers, notice: context.notice });
    if (mapping) {
      const before = missingLayers(layersFolder(context.paths, mapping), image.diffIds).length;
      const { unpackedFor } = await import('./settle-user.ts');
      const fitted = await unpackedFor(mapping, undecided, context);
      // Once an image and user: only root may mount a disk with other ids.
      if (before > 0 && context.progress) context.notice?.(`"${options.image}" is unpacked once more, with you as its user ${user}`);
      return settleUser(fitted, undecided, context);
    }
  }
  // Who shares a network has the ids of the other container.
  if (options.network === 'container') return found;
  return settleUser({ ...found, mapping: mapWantedUser(found.mapping, host, user) }, undecided, context);
}

/** Whoever the program runs as, and the groups that it is given, exist too. */
async function settleUser(settled: Settled, undecided: Undecided, context: RunContext): Promise<Settled> {
  const usual = /^(0|root)?$/.test(undecided.user) && undecided.options.groupAdd.length === 0;
  if (usual || settled.mapping.mode === 'single' || settled.mapping.fixed) return settled;
  const { withUser } = await import('./settle-user.ts');
  return withUser(settled, undecided, context);
}

/** For a first choice: where an image has owners that it has not. */
export function widener(mapping: Mapping, host: Host): Widen | undefined {
  if (mapping.mode === 'single' || mapping.fixed) return undefined;
  return async (owners) => {
    const { widenMapping } = await import('./widen-ids.ts');
    return widenMapping(mapping, host, owners);
  };
}

export function ofImage(mapping: Mapping, image: Image): Mapping {
  const wider = image.kind === 'layers' ? image.mapping?.idMap : undefined;
  return wider === undefined || wider === mapping.idMap ? mapping : { ...mapping, idMap: wider };
}

export function layersIn(image: Image): Layers {
  if (image.kind === 'rootfs') return { base: '/', lower: [image.dir] };
  return (image.kind === 'layers' ? image.layers : undefined) ?? { base: '/', lower: [] };
}
