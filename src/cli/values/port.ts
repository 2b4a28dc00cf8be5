/** `-p [HOSTIP:][HOSTPORT[-END]:]PORT[-END][/tcp|udp]`, ranges expanded; one port in a range of the host's is any free one of that. */

import { isIP } from 'node:net';
import type { PortRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';

type Range = { readonly first: number; readonly last: number };

export function parsePort(text: string): readonly PortRequest[] {
  const slash = text.indexOf('/');
  const protocol = slash === -1 ? 'tcp' : text.slice(slash + 1).toLowerCase();
  if (protocol !== 'tcp' && protocol !== 'udp') throw new BadValue(`invalid proto: ${protocol}`, { fix: 'protocols are tcp and udp' });
  const { address, host, container } = split(slash === -1 ? text : text.slice(0, slash));
  const inside = parseRange(container, 'containerPort');
  const outside = host === '' ? undefined : parseRange(host, 'hostPort');
  if (inside.first === 0) throw new BadValue(`invalid containerPort: ${container}`);
  const any = outside !== undefined && inside.first === inside.last && outside.first !== 0 && outside.last > outside.first;
  if (any) {
    const where = address === '' ? {} : { hostAddress: address };
    return [{ ...where, hostPort: outside.first, hostLast: outside.last, containerPort: inside.first, protocol }];
  }
  if (outside !== undefined && outside.last - outside.first !== inside.last - inside.first) {
    throw new BadValue(`invalid ranges specified for container and host Ports: ${container} and ${host}`, {
      why: 'both ranges must have the same length',
    });
  }
  return Array.from({ length: inside.last - inside.first + 1 }, (_, i) => ({
    ...(address === '' ? {} : { hostAddress: address }),
    hostPort: outside === undefined || outside.first === 0 ? 0 : outside.first + i,
    containerPort: inside.first + i,
    protocol,
  }));
}

/** An IPv6 address stands in brackets, so it is cut off first. */
function split(text: string): { address: string; host: string; container: string } {
  const bracket = /^\[([^\]]*)\]:(.*)$/.exec(text);
  const parts = (bracket?.[2] ?? text).split(':');
  const container = parts.pop() as string;
  const host = parts.pop() ?? '';
  if (bracket !== null && parts.length > 0) throw new BadValue(`invalid port specification: ${text}`);
  const address = bracket?.[1] ?? parts.join(':');
  if (address !== '' && isIP(address) === 0) throw new BadValue(`invalid IP address: ${address}`);
  if (container === '') throw new BadValue('no port specified', { fix: '-p HOSTPORT:PORT, for example 8080:80' });
  return { address, host, container };
}

function parseRange(text: string, what: string): Range {
  const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(found?.[1]);
  const last = Number(found?.[2] ?? found?.[1]);
  if (found === null || last > 65535 || first > last) throw new BadValue(`invalid ${what}: ${text}`, { why: 'ports are 1-65535' });
  return { first, last };
}
