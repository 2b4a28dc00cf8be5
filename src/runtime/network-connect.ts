/** Puts a container on a network and takes it off again, while it runs too. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { readHost } from '../userns/host.ts';
import { withLock } from './lock.ts';
import { isClosed } from './network.ts';
import { attachNow, detachNow, hasUplink, rewriteNetworks } from './network-live.ts';
import { claimLease, releaseLease } from './network-leases.ts';
import { tellNetwork } from './network-make.ts';
import { networkLabel } from './network-label.ts';
import { interfacesOf } from './network-settle.ts';
import { changeNetworks, listNetworks, type Network } from './network-store.ts';
import type { ContainerOptions, NetworkRequest } from './options.ts';
import { isDead, noSuchContainer } from './refusals.ts';
import { describe, isActive, isRunning, type Listed, readContainer } from './state.ts';

/** What a running container has of a way out, and will have after its next start: that is decided when it starts. */
export type WayOut = 'as it is' | 'missing' | 'stays';

/** @throws RootlessError NETWORK_CONNECTED, NETWORK_MODE, NETWORK_NOT_LIVE and those of a claim */
export async function connect(
  paths: Paths,
  network: Network,
  { id, name }: Listed,
  asked: Omit<NetworkRequest, 'network'>,
): Promise<WayOut> {
  const wayOut = await withLock(paths, id, async () => {
    const found = whole(paths, id, name);
    const { options } = found;
    const before = options.networks ?? [];
    if (before.some((one) => one.network === network.name)) throw alreadyThere(found, network);
    refuseMode(found, 'connect', network);
    if (options.network === 'private' && isActive(found)) throw notLive(found, network);
    const request: NetworkRequest = { ...asked, network: network.name };
    // The name stays what it is when another network is left: the running container has it.
    const named = { ...request, interface: request.interface ?? freeInterface(before) };
    const networks = [...pinned(before), named];
    interfacesOf(networks);
    await changeNetworks(paths, () => claimLease(paths, network, id, request));
    const privateToo = options.network === 'private' || options.privateToo || undefined;
    const changed = withNetworks(found, { ...options, network: 'networks', networks, privateToo });
    try {
      if (isRunning(found)) await attachNow(paths, changed, network);
      describe(paths, changed);
      if (found.life !== undefined && found.options.network === 'networks') await rewriteNetworks(paths, changed, readHost([]));
    } catch (error) {
      releaseLease(paths, network, id);
      throw error;
    }
    return wayOutOf(paths, changed);
  });
  tellNetwork(paths, network, 'connect', { container: id });
  return wayOut;
}

/** With `force` also one that is only half there. @throws RootlessError NETWORK_NOT_CONNECTED */
export async function disconnect(paths: Paths, network: Network, { id, name }: Listed, force: boolean): Promise<WayOut> {
  const wayOut = await withLock(paths, id, async () => {
    const found = whole(paths, id, name);
    const { options } = found;
    const before = options.networks ?? [];
    const others = pinned(before).filter((one) => one.network !== network.name);
    if (others.length === before.length && !force) throw notThere(found, network);
    if (others.length < before.length) {
      if (isRunning(found)) await detachNow(paths, found, network, force);
      const alone = others.length === 0 && options.privateToo && !isActive(found);
      const left = { ...options, networks: others };
      const changed = withNetworks(found, alone ? { ...left, network: 'private', networks: undefined, privateToo: undefined } : left);
      describe(paths, changed);
      if (found.life !== undefined && !alone) await rewriteNetworks(paths, changed, readHost([]));
    }
    await changeNetworks(paths, () => releaseLease(paths, network, id));
    return wayOutOf(paths, readContainer(paths, id));
  });
  tellNetwork(paths, network, 'disconnect', { container: id });
  return wayOut;
}

function wayOutOf(paths: Paths, container: Listed | undefined): WayOut {
  if (container === undefined || !isRunning(container) || container.options.network !== 'networks') return 'as it is';
  const networks = listNetworks(paths).filter(({ name }) => container.options.networks?.some((one) => one.network === name));
  const closed = isClosed(
    container.options,
    networks.map((network) => ({ network })),
  );
  if (closed === !hasUplink(paths, container.id)) return 'as it is';
  return closed ? 'stays' : 'missing';
}

function withNetworks(found: Listed, options: ContainerOptions): Listed {
  return { ...found, options, network: networkLabel(options) };
}

/** Each with the interface that it has. */
function pinned(networks: readonly NetworkRequest[]): NetworkRequest[] {
  const names = interfacesOf(networks);
  return networks.map((one, index) => ({ ...one, interface: names[index] ?? `eth${index}` }));
}

function freeInterface(networks: readonly NetworkRequest[]): string {
  const taken = new Set(interfacesOf(networks));
  for (let number = 0; ; number += 1) if (!taken.has(`eth${number}`)) return `eth${number}`;
}

function whole(paths: Paths, id: string, name: string): Listed {
  const found = readContainer(paths, id);
  if (found === undefined) throw noSuchContainer(name);
  if (found.status === 'dead') throw isDead(name, 'change the networks of');
  return found;
}

function refuseMode({ name, network, options }: Listed, what: string, { name: other }: Network): void {
  if (options.network === 'networks' || options.network === 'private') return;
  throw new RootlessError({
    code: 'NETWORK_MODE',
    message: `cannot ${what} container "${name}" to network "${other}": its network is ${network}`,
    why: 'host, none, container: and ns: are not shared with other networks',
    fix: `make it with --network ${other}`,
    exit: 1,
  });
}

function notLive({ name }: Listed, { name: network }: Network): RootlessError {
  return new RootlessError({
    code: 'NETWORK_NOT_LIVE',
    message: `cannot connect container "${name}" to network "${network}" while it runs`,
    why: 'it was started with a private network: only containers that were started on a network of yours can be put on others',
    fix: `rootless stop ${name} && rootless network connect ${network} ${name} && rootless start ${name}`,
    exit: 1,
  });
}

function alreadyThere({ name }: Listed, { name: network }: Network): RootlessError {
  return new RootlessError({
    code: 'NETWORK_CONNECTED',
    message: `endpoint with name ${name} already exists in network ${network}`,
    fix: `rootless network disconnect ${network} ${name}`,
    exit: 1,
  });
}

function notThere({ name }: Listed, { name: network }: Network): RootlessError {
  return new RootlessError({
    code: 'NETWORK_NOT_CONNECTED',
    message: `container ${name} is not connected to network ${network}`,
    fix: `rootless inspect --format '{{json .NetworkSettings.Networks}}' ${name}`,
    exit: 1,
  });
}
