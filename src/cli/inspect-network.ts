/** docker's NetworkSettings of a container: published ports, and its place on each of its networks. */

import { ipAddress } from '../network/addresses.ts';
import { familyOf, lengthOf } from '../network/subnets.ts';
import type { Paths } from '../paths.ts';
import { namesOf } from '../runtime/network-annotation.ts';
import { readLease } from '../runtime/network-leases.ts';
import { findNetwork } from '../runtime/network-store.ts';
import type { NetworkRequest, PortRequest } from '../runtime/options.ts';
import { isActive, isRunning, type Listed } from '../runtime/state.ts';
import { exposedBy } from './container-images.ts';
import { exposedPorts } from './container-ports.ts';
import type { Row } from './format.ts';
import { endpointOf } from './network-row.ts';

/** Ports as `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": null}`. */
export function networkSettings(paths: Paths, container: Listed): Row {
  const { ports, options, life } = container;
  const map: Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null> = {};
  for (const port of exposedPorts([...options.expose, ...exposedBy(container)])) map[port] = null;
  for (const port of ports) {
    const shown = { HostIp: port.hostAddress || '0.0.0.0', HostPort: String(port.hostPort) };
    map[inside(port)] = [...(map[inside(port)] ?? []), shown];
  }
  const sandbox = isRunning(container) && life !== undefined ? `/proc/${life.pid}/ns/net` : '';
  return { SandboxKey: sandbox, Ports: map, ...networks(paths, container) };
}

/** With networks of the user's the addresses stand at each of them alone, as docker has it. */
function networks(paths: Paths, container: Listed): Row {
  const { options, network, status, life } = container;
  if (options.network === 'networks') {
    const list = options.networks ?? [];
    return { ...nowhere, Networks: Object.fromEntries(list.map((one) => [one.network, place(paths, container, one)])) };
  }
  if (options.network === 'container') return { ...nowhere, Networks: {} };
  const own = options.network === 'private' || options.network === 'host';
  const address = status === 'running' && own && life !== undefined ? ipAddress(life.pid) : undefined;
  const found = {
    ...nowhere,
    IPAddress: address?.address ?? '',
    IPPrefixLen: address?.length ?? 0,
    Gateway: address?.gateway ?? '',
    MacAddress: address === undefined ? '' : (options.uplink?.mac ?? ''),
  };
  return { ...found, Networks: { [network]: { IPAMConfig: null, Aliases: null, Links: null, ...found } } };
}

const nowhere = {
  IPAddress: '',
  IPPrefixLen: 0,
  Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
  IPv6Gateway: '',
  MacAddress: '',
};

/** Addresses show while it runs; what was asked for always. */
function place(paths: Paths, container: Listed, request: NetworkRequest): Row {
  const asked = {
    ...(request.ip === undefined ? {} : { IPv4Address: request.ip }),
    ...(request.ip6 === undefined ? {} : { IPv6Address: request.ip6 }),
  };
  const row = {
    IPAMConfig: Object.keys(asked).length === 0 ? null : asked,
    Links: null,
    Aliases: request.aliases.length === 0 ? null : request.aliases,
    DriverOpts: null,
    DNSNames: [...new Set([...namesOf(container), ...request.aliases])],
    Interface: request.interface,
    NetworkID: '',
    EndpointID: '',
  };
  const network = networkOf(paths, request.network);
  const lease = network && readLease(paths, network, container.id);
  if (network === undefined || lease === undefined) return { ...row, ...nowhere };
  const ids = { ...row, NetworkID: network.id };
  if (!isActive(container)) return { ...ids, ...nowhere };
  const addressed = network.subnets.map((subnet, index) => {
    const address = lease.addresses[index] ?? '';
    return familyOf(subnet) === 4
      ? { IPAddress: address, IPPrefixLen: lengthOf(subnet), Gateway: subnet.gateway }
      : { GlobalIPv6Address: address, GlobalIPv6PrefixLen: lengthOf(subnet), IPv6Gateway: subnet.gateway };
  });
  const endpoint = endpointOf(container.id, network.id);
  return Object.assign({}, ids, nowhere, ...addressed, { EndpointID: endpoint, MacAddress: lease.mac });
}

function networkOf(paths: Paths, name: string) {
  try {
    return findNetwork(paths, name);
  } catch {
    return undefined;
  }
}

function inside({ containerPort, protocol }: PortRequest): string {
  return `${containerPort}/${protocol}`;
}
