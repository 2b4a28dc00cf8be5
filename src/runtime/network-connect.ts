/** Puts a container on a network and takes it off again, while it runs too. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { readHost } from '../userns/host.ts';
import { withLock } from './lock.ts';
import { attachNow, detachNow, rewriteNetworks } from './network-live.ts';
import { claimLease, releaseLease } from './network-leases.ts';
import { tellNetwork } from './network-make.ts';
import { networkLabel } from './network-label.ts';
import { interfacesOf } from './network-settle.ts';
import { changeNetworks, type Network } from './network-store.ts';
import { settleUplink } from './network-uplink.ts';
import type { ContainerOptions, NetworkRequest } from './options.ts';
import { isDead, noSuchContainer } from './refusals.ts';
import { describe, isActive, isRunning, type Listed, readContainer } from './state.ts';

/** What a way out may have to be made with. */
type Tools = { readonly searchPath: readonly string[] };

/** @throws RootlessError NETWORK_CONNECTED, NETWORK_MODE, NETWORK_NOT_LIVE, those of a claim and those of a way out */
export async function connect(
  paths: Paths,
  network: Network,
  { id, name }: Listed,
  asked: Omit<NetworkRequest, 'network'>,
  { searchPath }: Tools,
): Promise<void> {
  await withLock(paths, id, async () => {
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
      await settle(paths, found, changed, searchPath);
    } catch (error) {
      if (isRunning(found)) await detachNow(paths, found, network, true);
      describe(paths, found);
      releaseLease(paths, network, id);
      throw error;
    }
  });
  tellNetwork(paths, network, 'connect', { container: id });
}

/** What follows from the networks that it has now: its way out, its description, its files. */
async function settle(paths: Paths, found: Listed, changed: Listed, searchPath: readonly string[]): Promise<void> {
  // Between two lives there is nobody to ask: the next one begins with what is written down.
  const uplink = isActive(found) ? await settleUplink(paths, changed, { searchPath, runs: isRunning(found) }) : undefined;
  describe(paths, uplink === undefined ? changed : { ...changed, ports: uplink.ports });
  const whole = found.life !== undefined && found.options.network === 'networks' && changed.options.network === 'networks';
  if (whole) await rewriteNetworks(paths, changed, readHost([]), uplink);
}

/** With `force` also one that is only half there. @throws RootlessError NETWORK_NOT_CONNECTED */
export async function disconnect(
  paths: Paths,
  network: Network,
  { id, name }: Listed,
  force: boolean,
  { searchPath }: Tools,
): Promise<void> {
  await withLock(paths, id, async () => {
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
      await settle(paths, found, changed, searchPath);
    }
    await changeNetworks(paths, () => releaseLease(paths, network, id));
  });
  tellNetwork(paths, network, 'disconnect', { container: id });
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
