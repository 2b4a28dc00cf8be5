/** Which containers are on a network, running or not. */

import type { Paths } from '../paths.ts';
import { type Lease, leasesOf } from './network-leases.ts';
import type { Network } from './network-store.ts';
import { type Listed, listContainers, readContainer } from './state.ts';

export type User = { readonly container: Listed; readonly lease: Lease };

/** In the order of their ids; one that is only just being made has an address already, and no description. */
export function usersOf(paths: Paths, network: Network): User[] {
  return [...leasesOf(paths, network)].sort().flatMap(([id, lease]) => {
    const container = readContainer(paths, id);
    return container === undefined || container.status === 'dead' ? [] : [{ container, lease }];
  });
}

export function isUsed(paths: Paths, network: Network): boolean {
  return leasesOf(paths, network).size > 0;
}

/** With the name `private`, `host` or `none`. */
export function containersWith(paths: Paths, mode: string): Listed[] {
  return listContainers(paths).filter(({ options }) => options?.network === mode);
}
