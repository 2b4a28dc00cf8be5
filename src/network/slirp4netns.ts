/** slirp4netns(1): the older way, where there is no pasta. Which options it gets. Pure. */

import { RootlessError } from '../errors.ts';
import { blockOf, formatIp, parseIp } from './ip.ts';
import type { PortRequest } from './ports.ts';

/** Where no other subnet was asked for. */
export const slirpForwarder = '10.0.2.3';

export type SlirpPlan = {
  readonly args: readonly string[];
  readonly forwarder: string;
  /** Where the host's loopback is reached, if that was asked for. */
  readonly host: string | undefined;
};

export type SlirpWish = {
  /** Of the user: `mtu=1500`. */
  readonly options?: readonly string[] | undefined;
  /** Name of its interface in the container. */
  readonly ifname?: string | undefined;
  /** With real numbers. */
  readonly ports?: readonly PortRequest[] | undefined;
};

/**
 * Writes to fd 3 when it serves; ports are asked of its socket then, by the helper (docs/contract.md). The host's loopback stays out of
 * reach unless it is asked for.
 * @throws RootlessError NETWORK_OPTION_INVALID, PORT_UNAVAILABLE
 */
export function planSlirp(program: string, { options = [], ifname = 'tap0', ports = [] }: SlirpWish = {}): SlirpPlan {
  const asked = new Map(options.map(pair));
  const isTrue = (key: string) => asked.get(key) === 'true';
  const place = addresses(asked.get('cidr') ?? '10.0.2.0/24');
  const args = [
    program,
    '--configure',
    `--mtu=${number('mtu', asked.get('mtu') ?? '65520')}`,
    ...(isTrue('allow_host_loopback') ? [] : ['--disable-host-loopback']),
    ...(asked.has('cidr') ? [`--cidr=${asked.get('cidr')}`] : []),
    ...(isTrue('enable_ipv6') ? ['--enable-ipv6'] : []),
    ...(asked.has('outbound_addr') ? [`--outbound-addr=${asked.get('outbound_addr')}`] : []),
    ...(asked.has('outbound_addr6') ? [`--outbound-addr6=${asked.get('outbound_addr6')}`] : []),
    '--enable-sandbox',
    '--enable-seccomp',
    '--ready-fd=3',
    ...(ports.length > 0 ? ['--api-socket=/proc/self/fd/4/api'] : []),
    '--userns-path=/proc/{pid}/ns/user',
    '{pid}',
    ifname,
    ...(ports.length > 0 ? ['{forwards}', ...ports.map((port) => JSON.stringify(forward(port, place(100n))))] : []),
  ];
  return { args, forwarder: place(3n), host: isTrue('allow_host_loopback') ? place(2n) : undefined };
}

/** The words of its `add_hostfwd`. */
function forward({ hostAddress, hostPort, containerPort, protocol }: PortRequest, guest: string) {
  if (hostAddress?.includes(':')) {
    throw new RootlessError({
      code: 'PORT_UNAVAILABLE',
      message: `cannot publish port [${hostAddress}]:${hostPort}/${protocol}: slirp4netns publishes on IPv4 alone`,
      fix: 'install pasta (the package passt), or publish on an IPv4 address',
    });
  }
  return { proto: protocol, host_addr: hostAddress || '0.0.0.0', host_port: hostPort, guest_addr: guest, guest_port: containerPort };
}

const keys = ['allow_host_loopback', 'cidr', 'enable_ipv6', 'mtu', 'outbound_addr', 'outbound_addr6', 'port_handler'];

function pair(text: string): readonly [string, string] {
  const [, key = '', value = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  const flag = key === 'allow_host_loopback' || key === 'enable_ipv6';
  if (key === 'port_handler' && value !== 'slirp4netns') throw invalid(text, 'ports are published by slirp4netns itself: leave it out');
  if (keys.includes(key) && value !== '' && (!flag || /^(true|false)$/.test(value))) return [key, value];
  throw invalid(text, `options are ${keys.join(', ')}`);
}

function number(key: string, text: string): number {
  if (/^\d{2,5}$/.test(text) && Number(text) <= 65521) return Number(text);
  throw invalid(`${key}=${text}`, 'a number of bytes: mtu=1500');
}

/** Fixed places in its subnet (slirp4netns(1), --cidr). */
function addresses(cidr: string): (offset: bigint) => string {
  const [address = '', length = ''] = cidr.split('/');
  const ip = parseIp(address);
  if (ip?.family !== 4 || !/^\d+$/.test(length) || Number(length) > 25) throw invalid(`cidr=${cidr}`, 'for example cidr=10.0.2.0/24');
  const block = blockOf(ip, Number(length));
  return (offset) => formatIp({ family: 4, value: block.value + offset });
}

function invalid(text: string, fix: string): RootlessError {
  return new RootlessError({ code: 'NETWORK_OPTION_INVALID', message: `invalid option "${text}" for slirp4netns`, fix });
}
