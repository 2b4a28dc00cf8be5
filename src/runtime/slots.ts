/** Host ids for `--userns auto`: each container has a slot of its own as long as it exists, claimed by a link in $DATA/slots/. */

import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { IdMap, IdMapping } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { Mapping, SlotsInUse } from '../userns/choose.ts';
import { claimLink, takeAway } from './links.ts';
import { markOf } from './marks.ts';
import { containerFolder, listContainers } from './state.ts';

/** Named by the longest line: others may be the same in many containers (`uidmapping=`). */
export function slotLink(paths: Paths, { uid }: IdMap): string {
  const longest = uid.reduce<IdMapping | undefined>((best, line) => (best === undefined || line.size > best.size ? line : best), undefined);
  return join(paths.data, 'slots', `${longest?.hostID}`);
}

export type Slot = { readonly mapping: Mapping; readonly release: () => void };

/** `choose` is asked until no container that starts at the same moment has taken what it chose. */
export function claimSlot(paths: Paths, id: string, choose: (inUse: SlotsInUse) => Mapping): Slot {
  let inUse = slotsInUse(paths);
  for (;;) {
    const mapping = choose(inUse);
    const link = slotLink(paths, mapping.idMap);
    if (claimLink(link, id, (holder) => isGone(paths, holder))) return { mapping, release: () => takeAway(link, id) };
    inUse = { uid: [...inUse.uid, ...held(mapping, 'uid')], gid: [...inUse.gid, ...held(mapping, 'gid')] };
  }
}

/** Ids of containers that are there already: their files have them, whether they run or not. */
export function slotsInUse(paths: Paths): SlotsInUse {
  const holders = listContainers(paths).filter((container) => container.slot);
  return { uid: holders.flatMap((one) => held(one, 'uid')), gid: holders.flatMap((one) => held(one, 'gid')) };
}

function held({ idMap }: Pick<Mapping, 'idMap'>, kind: 'uid' | 'gid') {
  return idMap[kind].map(({ hostID, size }) => ({ start: hostID, size }));
}

function isGone(paths: Paths, holder: string): boolean {
  return markOf(paths, holder) !== 'alive' && lstatSync(containerFolder(paths, holder), { throwIfNoEntry: false }) === undefined;
}
