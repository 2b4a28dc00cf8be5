/** Where this machine itself sends packets: networks of containers must not take those addresses. */

import { readFileSync } from 'node:fs';
import { type Block, blockOf, parseIp } from './ip.ts';

/** Routes of this network namespace but the default ones. */
export function readRoutes(): Block[] {
  return [...parseRoutes(read('/proc/net/route')), ...parseRoutes6(read('/proc/net/ipv6_route'))];
}

/** /proc/net/route: destination and mask in the machine's byte order, which is little-endian wherever Node runs. */
export function parseRoutes(text: string): Block[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [destination, mask] = [swapped(fields[1]), swapped(fields[7])];
      if (destination === undefined || mask === undefined || mask === 0n) return [];
      const length = mask.toString(2).replaceAll('0', '').length;
      return [blockOf({ family: 4, value: destination }, length)];
    });
}

/** /proc/net/ipv6_route: destination and length as hex; those on the loopback interface and for multicast are of no network. */
export function parseRoutes6(text: string): Block[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [hex = '', bits = ''] = fields;
    const length = Number.parseInt(bits, 16);
    if (!/^[0-9a-f]{32}$/.test(hex) || !(length > 0) || fields[9] === 'lo' || /^f[ef]/.test(hex)) return [];
    const value = parseIp((hex.match(/.{4}/g) ?? []).join(':'));
    return value === undefined ? [] : [blockOf(value, length)];
  });
}

function swapped(hex: string | undefined): bigint | undefined {
  if (hex === undefined || !/^[0-9A-Fa-f]{8}$/.test(hex)) return undefined;
  return BigInt(`0x${(hex.match(/../g) ?? []).reverse().join('')}`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Without IPv6 there is no such file.
    return '';
  }
}
