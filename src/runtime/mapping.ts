/** The ids of a container: chosen when it is made, and kept, since its files have them. */

import type { Paths } from '../paths.ts';
import { chooseMapping } from '../userns/choose.ts';
import type { Host } from '../userns/host.ts';
import type { ContainerOptions, Mapping, UsernsRequest } from './options.ts';
import type { ImageDefaults } from './process.ts';
import type { Container } from './state.ts';

/** `slot`: ids that no other container may get, and how to give them back. */
export type ChosenIds = { readonly mapping: Mapping; readonly release: (() => void) | undefined };

export async function chooseIds(options: ContainerOptions, host: Host, paths: Paths, id: string): Promise<ChosenIds> {
  if (options.userns.kind === 'named') return { mapping: chooseMapping(await withRanges(options.userns), host), release: undefined };
  if (options.userns.kind !== 'auto') return { mapping: chooseMapping(options.userns, host), release: undefined };
  const { claimSlot } = await import('./slots.ts');
  return claimSlot(paths, id, (inUse) => chooseMapping(options.userns, host, inUse));
}

/** What the tables say of these names; a number names somebody too. */
async function withRanges(request: UsernsRequest & { readonly kind: 'named' }): Promise<UsernsRequest> {
  const { readSubids } = await import('../userns/subid.ts');
  const of = (name: string) => readSubids({ name, uid: /^\d+$/.test(name) ? Number(name) : -1 });
  return { ...request, ranges: { uid: of(request.uid).uid, gid: of(request.gid).gid } };
}

/** The ids that it was made with, written by the programs that are here now. */
export function keptIds({ idMap, mode }: Pick<Container, 'idMap' | 'mode'>, host: Host): Mapping {
  const { uid, gid } = idMap;
  if (mode !== 'ranges' || host.canMap) return { mode, fixed: true, idMap: { uid, gid } };
  return { mode, fixed: true, idMap: { uid, gid, newuidmap: host.mappers.uid?.path, newgidmap: host.mappers.gid?.path } };
}

/** With keep-id the caller is who the program runs as, unless --user says otherwise: podman's rule. */
export function withUser(defaults: ImageDefaults, { userns }: ContainerOptions, host: Host): ImageDefaults {
  if (userns.kind !== 'keep-id') return defaults;
  return { ...defaults, user: `${userns.uid ?? host.uid}:${userns.gid ?? host.gid}` };
}
