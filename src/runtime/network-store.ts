/** User-defined networks on disk, $DATA/networks/ID/: network.json, and leases/ID for each container that has an address of it. */

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Subnet } from '../network/subnets.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { replace } from './replace.ts';
import { changeSet } from './set-lock.ts';

/** network.json. */
export type Network = {
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly driver: 'bridge';
  /** One of IPv4, and with `ipv6` one of IPv6 after it; or that alone. */
  readonly subnets: readonly Subnet[];
  readonly ipv6: boolean;
  /** No way out of it. */
  readonly internal: boolean;
  /** Names of its containers are answered. */
  readonly dns: boolean;
  readonly mtu: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
};

/** Words of `--network` that are no network of the user's. */
export const predefined = ['private', 'host', 'none'] as const;
const otherWords = ['bridge', 'default', 'pasta', 'slirp4netns', 'container', 'ns'];

export const networksFolder = (paths: Paths): string => join(paths.data, 'networks');
export const networkFolder = (paths: Paths, id: string): string => join(networksFolder(paths), id);
/** Name of its bridge; an interface has at most 15 letters. */
export const bridgeOf = ({ id }: Pick<Network, 'id'>): string => `rl-${id.slice(0, 10)}`;

/** docker's rule. @throws RootlessError NETWORK_NAME_INVALID, NETWORK_PREDEFINED */
export function checkNetworkName(name: string): string {
  if (isPredefined(name)) {
    throw new RootlessError({
      code: 'NETWORK_PREDEFINED',
      message: `operation is not permitted on predefined ${name} network`,
      fix: 'choose another name',
      exit: 1,
    });
  }
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name) && name.length <= 128) return name;
  throw new RootlessError({
    code: 'NETWORK_NAME_INVALID',
    message: `invalid network name "${name}"`,
    why: 'a name has up to 128 letters, digits, "_", "." or "-" and begins with a letter or digit',
    exit: 1,
  });
}

export function isPredefined(name: string): boolean {
  return [...predefined, ...otherWords].includes(name);
}

/** By name. */
export function listNetworks(paths: Paths): Network[] {
  return idsIn(networksFolder(paths))
    .flatMap((id) => readNetwork(paths, id) ?? [])
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** One that a container can be put on, or taken off. @throws RootlessError NETWORK_PREDEFINED, NETWORK_NOT_FOUND, NETWORK_AMBIGUOUS */
export function findOwn(paths: Paths, wanted: string): Network {
  if (!isPredefined(wanted)) return findNetwork(paths, wanted);
  throw new RootlessError({
    code: 'NETWORK_PREDEFINED',
    message: `a container cannot be put on the network "${wanted}" or taken off it`,
    why: 'it is chosen when the container is made',
    fix: `rootless run --network ${wanted}; "rootless network ls --filter type=custom" lists those that can`,
    exit: 1,
  });
}

/** By name, id or unique beginning of an id. @throws RootlessError NETWORK_NOT_FOUND, NETWORK_AMBIGUOUS */
export function findNetwork(paths: Paths, wanted: string): Network {
  const all = listNetworks(paths);
  const exact = all.find(({ name, id }) => name === wanted || id === wanted);
  if (exact) return exact;
  const close = /^[0-9a-f]+$/.test(wanted) ? all.filter(({ id }) => id.startsWith(wanted)) : [];
  if (close.length > 1) {
    throw new RootlessError({ code: 'NETWORK_AMBIGUOUS', message: `"${wanted}" begins the ids of ${close.length} networks`, exit: 1 });
  }
  if (close[0]) return close[0];
  throw new RootlessError({
    code: 'NETWORK_NOT_FOUND',
    message: `network ${wanted} not found`,
    fix: isPredefined(wanted) ? undefined : `rootless network ls; rootless network create ${quoted(wanted)}`,
    exit: 1,
  });
}

/** Short synchronous changes of networks and their leases. @throws RootlessError NETWORKS_BUSY */
export function changeNetworks<T>(paths: Paths, work: () => T): Promise<T> {
  return changeSet(paths, { folder: networksFolder(paths), mode: 0o700, name: 'networks', code: 'NETWORKS_BUSY' }, work);
}

/** Under the lock. */
export function writeNetwork(paths: Paths, network: Network): void {
  const folder = networkFolder(paths, network.id);
  makeFolders(join(folder, 'leases'), 0o700);
  try {
    replace(join(folder, 'network.json'), JSON.stringify(network));
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    throw cause;
  }
}

/** Under the lock. */
export function forgetNetwork(paths: Paths, { id }: Network): void {
  rmSync(networkFolder(paths, id), { recursive: true, force: true });
}

/** Without it a file of this name may not be there yet, or is damaged: then there is no such network. */
function readNetwork(paths: Paths, id: string): Network | undefined {
  try {
    const network = JSON.parse(readFileSync(join(networkFolder(paths, id), 'network.json'), 'utf8')) as Network;
    return network.id === id && Array.isArray(network.subnets) ? network : undefined;
  } catch {
    return undefined;
  }
}

function idsIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [];
}

function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : 'NAME';
}
