/** What the helper is told about the networks of a container: `io.rootless.networks` (docs/contract.md). */

import { hostServers } from '../network/dns.ts';
import { isName } from '../network/names.ts';
import { lengthOf } from '../network/subnets.ts';
import type { Paths } from '../paths.ts';
import type { Host } from '../userns/host.ts';
import { type Holder, theHolder } from './network-holder.ts';
import type { Lease } from './network-leases.ts';
import { bridgeOf, type Network } from './network-store.ts';
import type { ContainerOptions, NetworkRequest } from './options.ts';

export const networksAnnotation = 'io.rootless.networks';

/** One network of one container. */
export type Attachment = {
  readonly network: string;
  readonly name: string;
  readonly bridge: string;
  readonly interface: string;
  readonly mtu: number;
  /** With the length of their subnet: `10.89.0.5/24`. */
  readonly addresses: readonly string[];
  /** The network's own, where its names are answered. */
  readonly gateways: readonly string[];
  readonly mac: string;
  readonly internal: boolean;
  readonly dns: boolean;
  readonly names: readonly string[];
};

export type NetworksAnnotation = Holder & {
  /** Who is asked for names that are no containers'. */
  readonly resolvers: readonly string[];
  readonly attach: readonly Attachment[];
};

export type Joined = {
  readonly request: NetworkRequest;
  readonly network: Network;
  readonly lease: Lease;
  readonly interface: string;
};

export function networksText(
  paths: Paths,
  host: Host,
  options: ContainerOptions,
  resolvConf: string,
  attach: readonly Attachment[],
): string {
  const asked = (options.dns?.servers ?? []).filter((server) => server !== 'none');
  const annotation: NetworksAnnotation = {
    ...theHolder(paths, host),
    resolvers: (asked.length > 0 ? asked : hostServers(resolvConf)).slice(0, 8),
    attach,
  };
  return JSON.stringify(annotation);
}

export function attachmentOf({ request, network, lease, interface: name }: Joined, names: readonly string[]): Attachment {
  return {
    network: network.id,
    name: network.name,
    bridge: bridgeOf(network),
    interface: name,
    mtu: network.mtu,
    addresses: lease.addresses.map((address, i) => `${address}/${lengthOf(network.subnets[i] ?? { subnet: '/32' })}`),
    gateways: network.subnets.map(({ gateway }) => gateway),
    mac: lease.mac,
    internal: network.internal,
    dns: network.dns,
    names: [...new Set([...names, ...request.aliases])],
  };
}

/** What others find it by on every network: its name, the beginning of its id, and a host name that was asked for; none that DNS has not. */
export function namesOf({
  id,
  name,
  options,
}: {
  readonly id: string;
  readonly name: string;
  readonly options: ContainerOptions;
}): string[] {
  return [name, id.slice(0, 12), ...(options.hostname === undefined ? [] : [options.hostname])].filter(isName);
}
