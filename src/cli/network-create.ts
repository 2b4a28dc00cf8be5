/** `rootless network create`: a network of the user's, on which containers reach each other by name. */

import { isIP } from 'node:net';
import { RootlessError } from '../errors.ts';
import type { SubnetRequest } from '../network/subnets.ts';
import { findPaths } from '../paths.ts';
import { newId } from '../runtime/ids.ts';
import { defaultMtu, makeNetwork } from '../runtime/network-make.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { BadValue } from './values/bad.ts';
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
      parse: parseAddress,
      description: "the network's own address (default: the first)",
    },
    'ip-range': { type: 'string', valueHint: 'CIDR', repeat: true, description: 'containers get addresses of this part of the subnet' },
    internal: { type: 'boolean', description: 'no way out of it' },
    ipv6: { type: 'boolean', description: 'IPv6 addresses too' },
    'disable-dns': { type: 'boolean', description: 'names of its containers are not answered' },
    label: { type: 'string', alias: 'l', valueHint: 'KEY[=VALUE]', repeat: true, parse: parseLabel, description: 'attach a label' },
    opt: { type: 'string', alias: 'o', valueHint: 'KEY=VALUE', repeat: true, parse: parseOption, description: 'mtu=1500' },
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
      subnets: subnetsOf(flags.subnet, flags.gateway, flags['ip-range']),
      internal: flags.internal,
      ipv6: flags.ipv6,
      dns: !flags['disable-dns'],
      mtu: Number(options['mtu'] ?? options['com.docker.network.driver.mtu'] ?? defaultMtu),
      labels: Object.fromEntries(flags.label),
      options,
      ignore: flags.ignore,
    });
    print(`${network.id}\n`);
    return 0;
  },
});

/** Which gateway and range belong to which subnet is seen by their kind of address: there is one subnet of each. */
function subnetsOf(subnets: readonly string[], gateways: readonly string[], ranges: readonly string[]): SubnetRequest[] {
  const six = (text: string) => text.includes(':');
  for (const [flag, list] of [
    ['gateway', gateways],
    ['ip-range', ranges],
  ] as const) {
    const stray = list.find((text) => !subnets.some((subnet) => six(subnet) === six(text)));
    if (stray === undefined) continue;
    throw new RootlessError({
      code: 'SUBNET_INVALID',
      message: `no matching subnet for ${flag === 'gateway' ? 'gateway' : 'range'} ${stray}`,
      fix: `name the subnet too: --subnet ${six(stray) ? 'fd00:1::/64' : '10.90.1.0/24'} --${flag} ${stray}`,
      exit: 1,
    });
  }
  return subnets.map((subnet) => ({
    subnet,
    gateway: gateways.find((text) => six(text) === six(subnet)),
    ipRange: ranges.find((text) => six(text) === six(subnet)),
  }));
}

function parseDriver(text: string): 'bridge' {
  if (text === 'bridge' || text === '') return 'bridge';
  const real = ['macvlan', 'ipvlan', 'overlay', 'host', 'none', 'null'].includes(text);
  throw new BadValue(real ? `the driver "${text}" needs the host's own interfaces, which are root's` : `could not find plugin ${text}`, {
    fix: 'the only driver is bridge',
  });
}

function parseIpam(text: string): string {
  if (text === 'default' || text === 'host-local' || text === '') return text;
  throw new BadValue(`unsupported ipam driver "${text}"`, { fix: 'addresses are kept by rootless itself' });
}

function parseAddress(text: string): string {
  if (isIP(text) !== 0) return text;
  throw new BadValue(`invalid gateway address: ${text}`);
}

/** docker's options of a bridge that mean something here; those that are its defaults are taken as they are. */
function parseOption(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  const [key, value] = equals === -1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
  if (key === 'mtu' || key === 'com.docker.network.driver.mtu') {
    if (/^\d{2,5}$/.test(value) && Number(value) >= 68 && Number(value) <= 65535) return [key, value];
    throw new BadValue(`invalid mtu "${value}"`, { fix: 'a number of bytes from 68 to 65535, with IPv6 from 1280' });
  }
  if (/^com\.docker\.network\./.test(key)) return [key, value];
  throw new BadValue(`unsupported option "${key}" of a network`, { fix: "options are mtu, and docker's com.docker.network.…" });
}
