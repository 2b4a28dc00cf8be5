/** `--network container:ID`: the ids, the namespaces and the files of another container. */

import { RootlessError } from '../errors.ts';
import type { IdMap } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { Host } from '../userns/host.ts';
import { keptIds } from './mapping.ts';
import type { LaunchNetwork, NetworkFacts } from './network.ts';
import { networkOwner } from './network-settle.ts';
import type { ContainerOptions, Mapping } from './options.ts';
import { isDead } from './refusals.ts';
import { containerFolder, isRunning, type Listed } from './state.ts';

export const joinAnnotation = 'io.rootless.join';

export type Shared = { readonly options: ContainerOptions; readonly mapping: Mapping };

/**
 * The options and ids of a container that shares another one's network. That one has to be started first, and stays as long as this one.
 * @throws RootlessError CONTAINER_NOT_FOUND, CONTAINER_DEAD, USERNS_DIFFERS
 */
export function shareNetwork(paths: Paths, options: ContainerOptions, host: Host, chosen: Mapping): Shared {
  const owner = networkOwner(paths, options.networkOf ?? '');
  if (owner.status === 'dead') throw isDead(owner.name, 'share the network of');
  const mapping = keptIds(owner, host);
  const asked = options.userns.kind !== 'host' || options.userns.chosen === true;
  if (asked && text(chosen.idMap) !== text(mapping.idMap)) throw differs(owner);
  const { networkOf: _, ...without } = options;
  // Of the host's network there is nothing to join, and of none too much: each is what it is.
  if (owner.network === 'host') return { options: { ...without, network: 'host' }, mapping: chosen };
  const requires = [...new Set([...options.requires, owner.id])];
  return { options: { ...options, networkOf: owner.id, requires }, mapping };
}

/** @throws RootlessError CONTAINER_NOT_RUNNING */
export function planShared(paths: Paths, { options }: NetworkFacts): LaunchNetwork {
  const owner = networkOwner(paths, options.networkOf ?? '');
  if (!isRunning(owner)) {
    throw new RootlessError({
      code: 'CONTAINER_NOT_RUNNING',
      message: `cannot join network of a non running container: ${owner.name}`,
      fix: `rootless start ${owner.name}`,
    });
  }
  return { annotations: { [joinAnnotation]: owner.id }, filesOf: containerFolder(paths, owner.id) };
}

function text({ uid, gid }: IdMap): string {
  return JSON.stringify([uid, gid].map((map) => map.map(({ containerID, hostID, size }) => [containerID, hostID, size])));
}

function differs({ name, options }: Listed): RootlessError {
  return new RootlessError({
    code: 'USERNS_DIFFERS',
    message: `cannot share the network of container "${name}" with other ids than it has`,
    why: 'a network belongs to the user namespace in which it was made, and both containers have to be in it',
    fix: `leave out --userns, or make both with the same: "${name}" was made with ${options.userns.kind}`,
  });
}
