/** The networks of a container when it is made: are they there, which addresses does it get, whose network does it share. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { claimLease } from './network-leases.ts';
import { changeNetworks, findNetwork } from './network-store.ts';
import type { ContainerOptions, NetworkRequest } from './options.ts';
import { findContainer, type Listed, readContainer } from './state.ts';

/**
 * Claims an address on each network for the container, whose folder is there. @returns the options with names of networks as they are
 * @throws RootlessError NETWORK_NOT_FOUND, NETWORK_TWICE, ADDRESS_TAKEN, ADDRESS_OUTSIDE, NETWORK_FULL
 */
export async function settleNetworks(paths: Paths, id: string, options: ContainerOptions): Promise<ContainerOptions> {
  if (options.network !== 'networks') return options;
  const networks = await changeNetworks(paths, () => {
    const found = (options.networks ?? []).map((request) => ({ request, network: findNetwork(paths, request.network) }));
    const settled = found.map(({ request, network }) => ({ ...request, network: network.name }));
    refuseTwice(settled);
    for (const { request, network } of found) claimLease(paths, network, id, request);
    return settled;
  });
  return { ...options, networks };
}

/** Interfaces in order: `eth0`, `eth1`, … around those that were named. */
export function interfacesOf(networks: readonly NetworkRequest[]): string[] {
  const named = new Set(networks.flatMap((one) => one.interface ?? []));
  const names: string[] = [];
  let next = 0;
  for (const one of networks) {
    while (one.interface === undefined && named.has(`eth${next}`)) next += 1;
    names.push(one.interface ?? `eth${next++}`);
  }
  return names;
}

/** The container whose network another one shares: the last of a chain. @throws RootlessError CONTAINER_NOT_FOUND */
export function networkOwner(paths: Paths, wanted: string): Listed {
  let owner = findContainer(paths, wanted);
  for (let hops = 0; owner.options?.network === 'container' && hops < 16; hops += 1) {
    const next = readContainer(paths, owner.options.networkOf ?? '');
    if (next === undefined) break;
    owner = next;
  }
  return owner;
}

function refuseTwice(networks: readonly NetworkRequest[]): void {
  const twice = networks.find(({ network }, index) => networks.findIndex((other) => other.network === network) < index);
  if (twice) {
    throw new RootlessError({
      code: 'NETWORK_TWICE',
      message: `network "${twice.network}" is given more than once`,
      fix: 'one --network each',
    });
  }
  const names = networks.flatMap((one) => one.interface ?? []);
  const same = names.find((name, index) => names.indexOf(name) < index);
  if (same === undefined) return;
  throw new RootlessError({ code: 'NETWORK_TWICE', message: `interface "${same}" is given to more than one network` });
}
