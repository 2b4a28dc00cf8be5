/** A network as tables, templates and `network inspect` show it: docker's fields. */

import { familyOf, lengthOf } from '../network/subnets.ts';
import type { Paths } from '../paths.ts';
import { type Network, predefined } from '../runtime/network-store.ts';
import { containersWith, usersOf } from '../runtime/network-users.ts';
import { isActive } from '../runtime/state.ts';
import { localDate, type Row } from './format.ts';

/** One of the user's, or a mode that has docker's place in the list. */
export type Shown = Network | { readonly id: string; readonly name: string; readonly driver: string };

/** An id that is always the same: there is nothing behind it but a word. */
export const modes: readonly Shown[] = predefined.map((name) => ({
  id: Buffer.from(name).toString('hex').padEnd(64, '0'),
  name,
  driver: name === 'private' ? 'pasta' : name === 'none' ? 'null' : name,
}));

export function isOwn(network: Shown): network is Network {
  return 'subnets' in network;
}

function hasIpv4({ subnets }: Network): boolean {
  return subnets.some((subnet) => familyOf(subnet) === 4);
}

/** docker's `network ls`: everything is text. */
export function networkRow(network: Shown, full: boolean): Row {
  const own = isOwn(network) ? network : undefined;
  const labels = own?.labels ?? {};
  return {
    ID: full ? network.id : network.id.slice(0, 12),
    Name: network.name,
    Driver: network.driver,
    Scope: 'local',
    IPv4: String(own !== undefined && hasIpv4(own)),
    IPv6: String(own?.ipv6 ?? false),
    Internal: String(own?.internal ?? false),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(','),
    Label: (key: string) => (Object.hasOwn(labels, key) ? (labels[key] ?? '') : ''),
    CreatedAt: own === undefined ? '' : localDate(own.created),
  };
}

/** docker shows the containers that run; `verbose` those too that do not. */
export function inspectNetwork(paths: Paths, network: Shown, verbose: boolean): Row {
  const own = isOwn(network) ? network : undefined;
  return {
    Name: network.name,
    Id: network.id,
    Created: own?.created ?? '0001-01-01T00:00:00Z',
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: own !== undefined && hasIpv4(own),
    EnableIPv6: own?.ipv6 ?? false,
    IPAM: {
      Driver: 'default',
      Options: {},
      Config: (own?.subnets ?? []).map(({ subnet, gateway, ipRange, reserved }) => ({
        Subnet: subnet,
        ...(ipRange === undefined ? {} : { IPRange: ipRange }),
        Gateway: gateway,
        ...(reserved === undefined ? {} : { AuxiliaryAddresses: reserved }),
      })),
    },
    Internal: own?.internal ?? false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: own === undefined ? modeUsers(paths, network.name, verbose) : users(paths, own, verbose),
    Options: own?.options ?? {},
    Labels: own?.labels ?? {},
    DNSEnabled: own?.dns ?? false,
    MTU: own?.mtu,
  };
}

function users(paths: Paths, network: Network, verbose: boolean): Row {
  const shown = usersOf(paths, network).filter(({ container }) => verbose || isActive(container));
  const address = (addresses: readonly string[], family: 4 | 6) => {
    const index = network.subnets.findIndex((subnet) => familyOf(subnet) === family);
    const subnet = network.subnets[index];
    return subnet === undefined || addresses[index] === undefined ? '' : `${addresses[index]}/${lengthOf(subnet)}`;
  };
  return Object.fromEntries(
    shown.map(({ container, lease }) => [
      container.id,
      {
        Name: container.name,
        EndpointID: endpointOf(container.id, network.id),
        MacAddress: lease.mac,
        IPv4Address: address(lease.addresses, 4),
        IPv6Address: address(lease.addresses, 6),
      },
    ]),
  );
}

function modeUsers(paths: Paths, mode: string, verbose: boolean): Row {
  const shown = containersWith(paths, mode).filter((container) => verbose || isActive(container));
  const nothing = { MacAddress: '', IPv4Address: '', IPv6Address: '' };
  return Object.fromEntries(
    shown.map(({ id, name }) => [id, { Name: name, EndpointID: endpointOf(id, Buffer.from(mode).toString('hex')), ...nothing }]),
  );
}

/** docker gives each place of a container on a network an id; here it is made of both. */
export function endpointOf(container: string, network: string): string {
  return `${container.slice(0, 32)}${network.padEnd(64, '0').slice(0, 32)}`;
}
