/** Host ids for `--userns auto`: each running container has a slot of its own, claimed by a link in $DATA/slots/. */

import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import type { Mapping, SlotsInUse } from '../userns/choose.ts';
import { listContainers } from './state.ts';

export type Slot = { readonly mapping: Mapping; readonly release: () => void };

/** `choose` is asked until no container that starts at the same moment has taken what it chose. */
export function claimSlot(paths: Paths, id: string, choose: (inUse: SlotsInUse) => Mapping): Slot {
  const folder = join(paths.data, 'slots');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let inUse = slotsInUse(paths);
  for (;;) {
    const mapping = choose(inUse);
    const link = join(folder, `${mapping.idMap.uid[0]?.hostID}`);
    if (claim(paths, link, id)) return { mapping, release: () => rmSync(link, { force: true }) };
    inUse = { uid: [...inUse.uid, ...held(mapping, 'uid')], gid: [...inUse.gid, ...held(mapping, 'gid')] };
  }
}

/** Ids of containers that run already. */
export function slotsInUse(paths: Paths): SlotsInUse {
  const running = listContainers(paths).filter((container) => container.slot && container.status === 'running');
  return { uid: running.flatMap((one) => held(one, 'uid')), gid: running.flatMap((one) => held(one, 'gid')) };
}

function held({ idMap }: Pick<Mapping, 'idMap'>, kind: 'uid' | 'gid') {
  return idMap[kind].map(({ hostID, size }) => ({ start: hostID, size }));
}

function claim(paths: Paths, link: string, id: string): boolean {
  try {
    symlinkSync(id, link);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  // A link without the mark of a living maker is a leftover of a kill.
  if (existsSync(join(paths.data, 'live', holderOf(link)))) return false;
  rmSync(link, { force: true });
  return claim(paths, link, id);
}

function holderOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return 'nobody';
  }
}
