/** Addresses of containers on networks: leases/ID in the network's folder, kept as long as the container exists. */

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { formatIp, parseIp } from '../network/ip.ts';
import { checkAddress, familyOf, nextAddress, type Subnet } from '../network/subnets.ts';
import type { Paths } from '../paths.ts';
import { markOf } from './marks.ts';
import type { NetworkRequest } from './options.ts';
import { replace } from './replace.ts';
import { containerFolder } from './state.ts';
import { type Network, networkFolder } from './network-store.ts';

/** In the order of the network's subnets. */
export type Lease = { readonly addresses: readonly string[]; readonly mac: string };

export const leaseFile = (paths: Paths, network: Pick<Network, 'id'>, id: string): string =>
  join(networkFolder(paths, network.id), 'leases', id);

/** Under the lock: the lease that the container has, or a new one. @throws RootlessError ADDRESS_TAKEN, ADDRESS_OUTSIDE, NETWORK_FULL */
export function claimLease(paths: Paths, network: Network, id: string, asked: NetworkRequest): Lease {
  const others = leasesOf(paths, network);
  const own = others.get(id);
  if (own !== undefined) return own;
  const taken = new Set([...others.values()].flatMap(({ addresses }) => addresses));
  refuseStrayAddress(network, asked);
  const addresses = network.subnets.map((subnet) => addressIn(network, subnet, asked, taken));
  const mac = asked.mac ?? macOf(addresses);
  const rival = [...others].find(([, lease]) => lease.mac === mac);
  if (rival) throw inUse(`MAC address ${mac}`, network, rival[0]);
  const lease = { addresses, mac };
  replace(leaseFile(paths, network, id), JSON.stringify(lease));
  return lease;
}

export function releaseLease(paths: Paths, network: Pick<Network, 'id'>, id: string): void {
  rmSync(leaseFile(paths, network, id), { force: true });
}

/** By container. What a container has left that is no more does not count, and is taken away. */
export function leasesOf(paths: Paths, network: Network): Map<string, Lease> {
  const folder = join(networkFolder(paths, network.id), 'leases');
  const ids = existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [];
  const leases = new Map<string, Lease>();
  for (const id of ids) {
    const lease = readLease(paths, network, id);
    if (lease === undefined || !(existsSync(containerFolder(paths, id)) || markOf(paths, id) === 'alive')) releaseLease(paths, network, id);
    else leases.set(id, lease);
  }
  return leases;
}

export function readLease(paths: Paths, network: Pick<Network, 'id'>, id: string): Lease | undefined {
  try {
    const lease = JSON.parse(readFileSync(leaseFile(paths, network, id), 'utf8')) as Lease;
    return Array.isArray(lease.addresses) && typeof lease.mac === 'string' ? lease : undefined;
  } catch {
    return undefined;
  }
}

function addressIn(network: Network, subnet: Subnet, { ip, ip6 }: NetworkRequest, taken: ReadonlySet<string>): string {
  const wanted = familyOf(subnet) === 4 ? ip : ip6;
  if (wanted !== undefined) {
    const address = checkAddress(wanted, subnet, network.name);
    if (taken.has(address)) throw inUse(`address ${address}`, network, undefined);
    const kept = Object.entries(subnet.reserved ?? {}).find(([, reserved]) => reserved === address);
    if (kept) throw reservedFor(address, network, kept[0]);
    return address;
  }
  const free = nextAddress(subnet, taken);
  if (free !== undefined) return free;
  throw new RootlessError({
    code: 'NETWORK_FULL',
    message: `network "${network.name}" has no free address left in ${subnet.ipRange ?? subnet.subnet}`,
    fix: 'remove containers that are on it (rootless ps -a --filter network=NAME), or make a larger network',
  });
}

/** An address of a family that the network has not. */
function refuseStrayAddress(network: Network, { ip, ip6 }: NetworkRequest): void {
  const has = (family: 4 | 6) => network.subnets.some((subnet) => familyOf(subnet) === family);
  const stray = ip !== undefined && !has(4) ? ip : ip6 !== undefined && !has(6) ? ip6 : undefined;
  if (stray === undefined) return;
  throw new RootlessError({
    code: 'ADDRESS_OUTSIDE',
    message: `invalid address ${stray}: network "${network.name}" has no subnet of that kind`,
    fix: `make the network with ${stray.includes(':') ? '--ipv6' : 'IPv4'}`,
  });
}

/** docker's: made from the IPv4 address, so unique in the network; of one without IPv4 from the end of the other. */
function macOf(addresses: readonly string[]): string {
  const ip = addresses.flatMap((text) => parseIp(text) ?? [])[0];
  const bytes = formatIp({ family: 4, value: (ip?.value ?? 1n) & 0xffffffffn }).split('.');
  return ['02', '42', ...bytes.map((byte) => Number(byte).toString(16).padStart(2, '0'))].join(':');
}

function reservedFor(address: string, { name }: Network, what: string): RootlessError {
  return new RootlessError({
    code: 'ADDRESS_TAKEN',
    message: `address ${address} is already in use on network "${name}"`,
    why: `the network keeps it for "${what}" (--aux-address)`,
    fix: 'another --ip, or none: a free one is chosen',
  });
}

function inUse(what: string, { name }: Network, holder: string | undefined): RootlessError {
  return new RootlessError({
    code: 'ADDRESS_TAKEN',
    message: `${what} is already in use on network "${name}"`,
    why: holder === undefined ? 'another container has it, running or not' : `container ${holder.slice(0, 12)} has it, running or not`,
    fix: `rootless network inspect ${name} shows who has which`,
  });
}
