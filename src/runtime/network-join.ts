/** The networks of a container that is about to start, with its addresses there. */

import type { Paths } from '../paths.ts';
import type { Joined } from './network-annotation.ts';
import { claimLease, readLease } from './network-leases.ts';
import { interfacesOf } from './network-settle.ts';
import { changeNetworks, findNetwork } from './network-store.ts';
import type { NetworkRequest } from './options.ts';

/** Addresses were claimed when it was made; one that is lost is claimed anew. @throws RootlessError NETWORK_NOT_FOUND and those of a claim */
export async function joinNetworks(paths: Paths, id: string, networks: readonly NetworkRequest[]): Promise<Joined[]> {
  const names = interfacesOf(networks);
  const joined: Joined[] = [];
  for (const [index, request] of networks.entries()) {
    const network = findNetwork(paths, request.network);
    const lease = readLease(paths, network, id) ?? (await changeNetworks(paths, () => claimLease(paths, network, id, request)));
    joined.push({ request, network, lease, interface: names[index] ?? `eth${index}` });
  }
  return joined;
}
