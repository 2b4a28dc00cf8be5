/** Removes networks that no container is on. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { disconnect } from './network-connect.ts';
import { tellNetwork } from './network-make.ts';
import { changeNetworks, findNetwork, forgetNetwork, isPredefined, listNetworks, type Network } from './network-store.ts';
import { isUsed, usersOf } from './network-users.ts';

/** `searchPath`: what a way out is made with, of containers that lose this network and have another. */
type Removal = { readonly force: boolean; readonly searchPath: readonly string[] };

/** With `force` its containers leave it first. @throws RootlessError NETWORK_NOT_FOUND, NETWORK_IN_USE, NETWORK_PREDEFINED */
export async function removeNetwork(paths: Paths, wanted: string, { force, searchPath }: Removal): Promise<void> {
  if (isPredefined(wanted)) {
    throw new RootlessError({ code: 'NETWORK_PREDEFINED', message: `${wanted} is a pre-defined network and cannot be removed`, exit: 1 });
  }
  const network = findNetwork(paths, wanted);
  if (force) for (const { container } of usersOf(paths, network)) await disconnect(paths, network, container, true, { searchPath });
  await changeNetworks(paths, () => {
    if (isUsed(paths, network))
      throw inUse(
        network,
        usersOf(paths, network).map(({ container }) => container.name),
      );
    forgetNetwork(paths, network);
  });
  tellNetwork(paths, network, 'destroy');
}

/** @returns names of those that were removed */
export async function pruneNetworks(paths: Paths, wanted: (network: Network) => boolean): Promise<string[]> {
  const removed: string[] = [];
  for (const network of listNetworks(paths).filter(wanted)) {
    try {
      await removeNetwork(paths, network.name, { force: false, searchPath: [] });
      removed.push(network.name);
    } catch (error) {
      if (!(error instanceof RootlessError && (error.code === 'NETWORK_IN_USE' || error.code === 'NETWORK_NOT_FOUND'))) throw error;
    }
  }
  return removed;
}

function inUse({ name }: Network, containers: readonly string[]): RootlessError {
  const list = containers.join(', ');
  return new RootlessError({
    code: 'NETWORK_IN_USE',
    message: `cannot remove network "${name}": network has active endpoints${list === '' ? '' : ` (${list})`}`,
    why: 'these containers are on it, running or not',
    fix: `rootless network disconnect ${name} CONTAINER, or rootless network rm --force ${name} takes them off it`,
    exit: 1,
  });
}
