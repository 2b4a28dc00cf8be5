/** Who holds user-defined networks: one user namespace for all containers that are on them, in which the helper makes theirs. */

import { join } from 'node:path';
import type { IdMap } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { chooseMapping } from '../userns/choose.ts';
import { type Host, mayMakeNetworks } from '../userns/host.ts';
import type { ContainerOptions } from './options.ts';

/** `io.rootless.networks` begins with it (docs/contract.md). */
export type Holder = {
  readonly directory: string;
  /** All ids that this user can have; without it networks can be made where the caller is. */
  readonly idmap?: IdMap | undefined;
};

export function theHolder(paths: Paths, host: Host): Holder {
  const directory = join(paths.runtime, 'network');
  return mayMakeNetworks() ? { directory } : { directory, idmap: chooseMapping({ kind: 'host' }, host).idMap };
}

/** What of a container's network can be made before the rest is known. */
export function earlyNetwork(paths: Paths, { network }: Pick<ContainerOptions, 'network'>, host: Host) {
  return { holder: network === 'networks' ? theHolder(paths, host) : undefined, own: network === 'private' };
}

/** Its user namespace can be made before the bundle is known: it is a new one. */
export function mayBeginEarly({ network }: Pick<ContainerOptions, 'network'>): boolean {
  return network !== 'container' && network !== 'namespace';
}
