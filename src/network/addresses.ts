/** Which address a container has in a network of its own: read from its namespace through /proc. */

import { readFileSync } from 'node:fs';

export type Place = { readonly address: string; readonly length: number; readonly gateway: string };

/** The first IPv4 address that is not loopback; undefined when there is none, or the process is gone. */
export function ipAddress(pid: number): Place | undefined {
  try {
    return placeOf(readFileSync(`/proc/${pid}/net/fib_trie`, 'latin1'), readFileSync(`/proc/${pid}/net/route`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** `fib_trie` lists addresses of the host itself as "/32 host LOCAL"; `route` has gateways and masks in the machine's byte order. */
export function placeOf(trie: string, route: string): Place | undefined {
  const addresses = [...trie.matchAll(/-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL/g)].map(([, address = '']) => address);
  const address = addresses.find((one) => !one.startsWith('127.'));
  if (address === undefined) return undefined;
  const routes = route
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length > 7);
  const byDefault = routes.find((fields) => fields[1] === '00000000' && fields[7] === '00000000');
  const own = routes.find((fields) => fields[2] === '00000000' && same(address, fields[1] ?? '', fields[7] ?? ''));
  return {
    address,
    length: own === undefined ? 32 : bitsOf(Number.parseInt(own[7] ?? '', 16)),
    gateway: byDefault === undefined ? '' : dotted(Number.parseInt(byDefault[2] ?? '', 16)),
  };
}

function same(address: string, network: string, mask: string): boolean {
  const number = address.split('.').reduceRight((sum, part) => sum * 256 + Number(part), 0);
  const bits = Number.parseInt(mask, 16);
  return bits !== 0 && (number & bits) >>> 0 === Number.parseInt(network, 16);
}

function dotted(number: number): string {
  return [0, 8, 16, 24].map((shift) => (number >>> shift) & 255).join('.');
}

function bitsOf(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length;
}
