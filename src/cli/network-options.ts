/** Values of `network create`: docker's and podman's drivers and options, and those that would say what is not so. */

import { isIP } from 'node:net';
import { BadValue } from './values/bad.ts';

export function parseDriver(text: string): 'bridge' {
  if (text === 'bridge' || text === '') return 'bridge';
  const real = ['macvlan', 'ipvlan', 'overlay', 'host', 'none', 'null'].includes(text);
  throw new BadValue(real ? `the driver "${text}" needs the host's own interfaces, which are root's` : `could not find plugin ${text}`, {
    fix: 'the only driver is bridge',
  });
}

export function parseIpam(text: string): string {
  if (text === 'default' || text === 'host-local' || text === '') return text;
  throw new BadValue(`unsupported ipam driver "${text}"`, { fix: 'addresses are kept by rootless itself' });
}

export function parseGateway(text: string): string {
  if (isIP(text) !== 0) return text;
  throw new BadValue(`invalid gateway address: ${text}`);
}

/** `router=10.90.1.254`. */
export function parseReserved(text: string): readonly [name: string, address: string] {
  const [, name = '', address = ''] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name !== '' && isIP(address) !== 0) return [name, address];
  throw new BadValue(`invalid auxiliary address "${text}"`, { fix: '--aux-address NAME=IP' });
}

const bridge = 'com.docker.network.bridge';
const apart = 'packets do not pass between networks: put a container on both';
const translated = 'what leads out of a network is pasta, not the bridge: --internal for no way out';

/** Options that can have one meaning alone here; any other value would be a promise that is not kept. */
const fixed: Readonly<Record<string, { readonly values: readonly string[]; readonly fix: string }>> = Object.assign(Object.create(null), {
  isolate: { values: ['true', 'strict', '1'], fix: apart },
  [`${bridge}.enable_icc`]: { values: ['true', '1'], fix: 'containers on one network reach each other: give each a network of its own' },
  [`${bridge}.enable_ip_masquerade`]: { values: ['true', '1'], fix: translated },
  [`${bridge}.gateway_mode_ipv4`]: { values: ['nat'], fix: translated },
  [`${bridge}.gateway_mode_ipv6`]: { values: ['nat'], fix: translated },
  [`${bridge}.host_binding_ipv4`]: { values: ['0.0.0.0'], fix: 'say it where a port is published: -p ADDRESS:8080:80' },
  [`${bridge}.inhibit_ipv4`]: { values: ['false', '0'], fix: "the network's own address is where its names are answered" },
  'com.docker.network.container_iface_prefix': { values: ['eth'], fix: '--network NAME:interface_name=lan0 names one' },
});

const mtus = ['mtu', 'com.docker.network.driver.mtu', 'com.docker.network.mtu'];

export function mtuOf(options: Readonly<Record<string, string>>): number | undefined {
  const text = mtus.map((key) => options[key]).find((value) => value !== undefined);
  return text === undefined ? undefined : Number(text);
}

export function parseOption(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  const [key, value] = equals === -1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
  if (mtus.includes(key)) {
    if (/^\d{2,5}$/.test(value) && Number(value) >= 68 && Number(value) <= 65535) return [key, value];
    throw new BadValue(`invalid mtu "${value}"`, { fix: 'a number of bytes from 68 to 65535, with IPv6 from 1280' });
  }
  // The bridge is in a namespace of its own, where its name is nobody's concern.
  if (key === `${bridge}.name`) return [key, value];
  const rule = fixed[key];
  if (rule?.values.includes(value.toLowerCase())) return [key, value];
  if (rule) throw new BadValue(`option "${key}" can only be ${rule.values[0]}`, { fix: rule.fix });
  throw new BadValue(`unsupported option "${key}" of a network`, { fix: `options are mtu, isolate, and docker's ${bridge}.…` });
}
