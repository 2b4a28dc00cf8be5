/** `rootless network create`: a network of the user's, on which containers reach each other by name. */

import { RootlessError } from '../errors.ts';
import type { SubnetRequest } from '../network/subnets.ts';
import { findPaths } from '../paths.ts';
import { newId } from '../runtime/ids.ts';
import { defaultMtu, makeNetwork } from '../runtime/network-make.ts';
import { command } from './command.ts';
import { mtuOf, parseDriver, parseGateway, parseIpam, parseOption, parseReserved } from './network-options.ts';
import { print } from './output.ts';
import { parseLabel } from './values/env.ts';

export default command({
  name: 'network create',
  flags: {
    driver: { type: 'string', alias: 'd', valueHint: 'DRIVER', parse: parseDriver, choices: ['bridge'], description: 'only bridge' },
    subnet: { type: 'string', valueHint: 'CIDR', repeat: true, description: 'its addresses: 10.90.1.0/24 (default: a free block)' },
    gateway: {
      type: 'string',
      valueHint: 'IP',
      repeat: true,
      parse: parseGateway,
      description: "the network's own address (default: the first)",
    },
    'ip-range': { type: 'string', valueHint: 'CIDR', repeat: true, description: 'containers get addresses of this part of the subnet' },
    'aux-address': {
      type: 'string',
      valueHint: 'NAME=IP',
      repeat: true,
      parse: parseReserved,
      description: 'an address that no container gets',
    },
    internal: { type: 'boolean', description: 'no way out of it' },
    ipv4: { type: 'boolean', default: true, description: 'IPv4 addresses; =false leaves IPv6 alone' },
    ipv6: { type: 'boolean', description: 'IPv6 addresses too' },
    'disable-dns': { type: 'boolean', description: 'names of its containers are not answered' },
    label: { type: 'string', alias: 'l', valueHint: 'KEY[=VALUE]', repeat: true, parse: parseLabel, description: 'attach a label' },
    opt: { type: 'string', alias: 'o', valueHint: 'KEY=VALUE', repeat: true, parse: parseOption, description: 'mtu=1500, isolate=true' },
    attachable: { type: 'boolean', hidden: true, description: 'every network here is' },
    'ipam-driver': { type: 'string', valueHint: 'DRIVER', hidden: true, parse: parseIpam, description: 'only default' },
    ignore: { type: 'boolean', description: 'no error if there is one of this name' },
  },
  words: { usage: '[NAME]', min: 0, max: 1 },
  examples: ['rootless network create front', 'rootless network create --internal --subnet 10.90.1.0/24 back'],
  run: async ({ flags, args, env }) => {
    const options = Object.fromEntries(flags.opt);
    const network = await makeNetwork(findPaths(env), {
      name: args[0] ?? `net_${newId().slice(0, 12)}`,
      subnets: subnetsOf(flags.subnet, flags.gateway, flags['ip-range'], flags['aux-address']),
      internal: flags.internal,
      ipv4: flags.ipv4,
      ipv6: flags.ipv6,
      dns: !flags['disable-dns'],
      mtu: mtuOf(options) ?? defaultMtu,
      labels: Object.fromEntries(flags.label),
      options,
      ignore: flags.ignore,
    });
    print(`${network.id}\n`);
    return 0;
  },
});

type Reserved = readonly (readonly [name: string, address: string])[];

/** Which gateway, range and reserved address belong to which subnet is seen by their kind of address: there is one subnet of each. */
function subnetsOf(
  subnets: readonly string[],
  gateways: readonly string[],
  ranges: readonly string[],
  reserved: Reserved,
): SubnetRequest[] {
  const six = (text: string) => text.includes(':');
  for (const [flag, what, list] of [
    ['gateway', 'gateway', gateways],
    ['ip-range', 'range', ranges],
    ['aux-address', 'aux-address', reserved.map(([, address]) => address)],
  ] as const) {
    const stray = list.find((text) => !subnets.some((subnet) => six(subnet) === six(text)));
    if (stray === undefined) continue;
    throw new RootlessError({
      code: 'SUBNET_INVALID',
      message: `no matching subnet for ${what} ${stray}`,
      fix: `name the subnet too: --subnet ${six(stray) ? 'fd00:1::/64' : '10.90.1.0/24'} --${flag} …`,
      exit: 1,
    });
  }
  return subnets.map((subnet) => ({
    subnet,
    gateway: gateways.find((text) => six(text) === six(subnet)),
    ipRange: ranges.find((text) => six(text) === six(subnet)),
    reserved: Object.fromEntries(reserved.filter(([, text]) => six(text) === six(subnet))),
  }));
}
