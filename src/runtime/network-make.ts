/** Makes a network: its blocks of addresses are its own, and no route of this machine. */

import { RootlessError } from '../errors.ts';
import { readRoutes } from '../network/routes.ts';
import { blocksOf, checkSubnet, familyOf, pickSubnet, pickSubnet6, type Subnet, type SubnetRequest } from '../network/subnets.ts';
import type { Paths } from '../paths.ts';
import { tellEvent } from './events.ts';
import { newId } from './ids.ts';
import { changeNetworks, checkNetworkName, listNetworks, type Network, writeNetwork } from './network-store.ts';

export type NewNetwork = {
  readonly name: string;
  /** At most one of each family. */
  readonly subnets: readonly SubnetRequest[];
  readonly internal: boolean;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly dns: boolean;
  readonly mtu: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** One of this name is no error. */
  readonly ignore: boolean;
};

/** What pasta gives a container, so that nothing has to be cut on the way between the two. */
export const defaultMtu = 65520;

/** @throws RootlessError NETWORK_EXISTS, NETWORK_NAME_INVALID, NETWORK_PREDEFINED, SUBNET_INVALID, SUBNET_TAKEN, SUBNETS_EXHAUSTED, NETWORK_OPTION_INVALID */
export async function makeNetwork(paths: Paths, asked: NewNetwork): Promise<Network> {
  checkNetworkName(asked.name);
  const { network, fresh } = await changeNetworks(paths, () => {
    const all = listNetworks(paths);
    const same = all.find(({ name }) => name === asked.name);
    if (same && !asked.ignore) throw exists(asked.name);
    if (same) return { network: same, fresh: false };
    const network = newNetwork(asked, all);
    writeNetwork(paths, network);
    return { network, fresh: true };
  });
  if (fresh) tellNetwork(paths, network, 'create');
  return network;
}

export function tellNetwork(paths: Paths, network: Network, action: string, more: Readonly<Record<string, string>> = {}): void {
  tellEvent(paths, { type: 'network', action, id: network.id, attributes: { name: network.name, type: network.driver, ...more } });
}

function newNetwork(asked: NewNetwork, all: readonly Network[]): Network {
  const { name, internal, dns, mtu, labels, options } = asked;
  const id = newId();
  const subnets = chooseSubnets(asked, all, id);
  const ipv6 = subnets.some((subnet) => familyOf(subnet) === 6);
  if (ipv6 && mtu < 1280)
    throw refused(`invalid mtu ${mtu}`, 'every link of IPv6 carries 1280 bytes (RFC 8200)', '--opt mtu=1280, or no IPv6');
  return { id, name, created: new Date().toISOString(), driver: 'bridge', subnets, ipv6, internal, dns, mtu, labels, options };
}

function chooseSubnets({ subnets, ipv4, ipv6 }: NewNetwork, all: readonly Network[], id: string): Subnet[] {
  const taken = all.flatMap((network) => blocksOf(network.subnets));
  const routes = readRoutes();
  const wanted = (family: 4 | 6) => {
    const [one, more] = subnets.filter((subnet) => familyOf(subnet) === family);
    if (more === undefined) return one && checkSubnet(one, taken, routes);
    throw new RootlessError({
      code: 'SUBNET_INVALID',
      message: 'bridge driver does not support multiple subnets of one family',
      fix: 'one --subnet of IPv4, and one of IPv6',
      exit: 1,
    });
  };
  const four = wanted(4);
  const six = wanted(6) ?? (ipv6 ? pickSubnet6(id) : undefined);
  if (ipv4) return [four ?? pickSubnet([...taken, ...routes]), six].filter((one) => one !== undefined);
  if (four)
    throw refused('IPv4 is disabled, and there is a subnet of it', `--ipv4=false and --subnet ${four.subnet}`, 'leave out one of them');
  if (six) return [six];
  throw refused('IPv4 or IPv6 must be enabled', 'a network has addresses', '--ipv4=false --ipv6');
}

function refused(message: string, why: string, fix: string): RootlessError {
  return new RootlessError({ code: 'NETWORK_OPTION_INVALID', message, why, fix, exit: 1 });
}

function exists(name: string): RootlessError {
  return new RootlessError({
    code: 'NETWORK_EXISTS',
    message: `network with name ${name} already exists`,
    fix: `rootless network rm ${name}, another name, or --ignore`,
    exit: 1,
  });
}
