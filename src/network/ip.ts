/** IPv4 and IPv6 addresses and blocks of them as numbers: parse, print, compare. Pure. */

import { isIPv4, isIPv6 } from 'node:net';

export type Family = 4 | 6;
export type Ip = { readonly family: Family; readonly value: bigint };
/** `value` is its first address. */
export type Block = Ip & { readonly length: number };

export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);

/** @returns undefined for what is no address; an IPv6 one with a zone is none either */
export function parseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return { family: 4, value: text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: 8 - before.length - after.length }, () => 0n);
  return { family: 6, value: [...before, ...middle, ...after].reduce((sum, group) => sum * 65536n + group, 0n) };
}

/** `10.89.0.0/24`. @returns undefined for what is none, and where bits are set behind the length */
export function parseBlock(text: string): Block | undefined {
  const [, address = '', digits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const ip = parseIp(address);
  const length = Number(digits);
  if (ip === undefined || length > bitsOf(ip.family)) return undefined;
  return firstOf(ip, length) === ip.value ? { ...ip, length } : undefined;
}

/** RFC 5952: lower case, the longest run of zero groups as `::`. */
export function formatIp({ family, value }: Ip): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const words = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - i * 16)) & 0xffffn).toString(16));
  const runs = [...words.join(':').matchAll(/(?<![^:])0(?::0)+(?![^:])/g)].map(([run]) => run);
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return words.join(':');
  const [before = '', after = ''] = cutOnce(words.join(':'), longest);
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}

export function formatBlock(block: Block): string {
  return `${formatIp(block)}/${block.length}`;
}

/** The block around an address. */
export function blockOf(ip: Ip, length: number): Block {
  return { family: ip.family, value: firstOf(ip, length), length };
}

export function lastOf({ family, value, length }: Block): bigint {
  return value + (1n << BigInt(bitsOf(family) - length)) - 1n;
}

export function holds(block: Block, { family, value }: Ip): boolean {
  return family === block.family && value >= block.value && value <= lastOf(block);
}

export function overlap(one: Block, other: Block): boolean {
  return one.family === other.family && one.value <= lastOf(other) && other.value <= lastOf(one);
}

function firstOf({ family, value }: Ip, length: number): bigint {
  const rest = BigInt(bitsOf(family) - length);
  return (value >> rest) << rest;
}

/** The last group may be written as an IPv4 address. */
function groups(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const four = parseIp(group)?.value ?? 0n;
    return [four >> 16n, four & 0xffffn];
  });
}

function cutOnce(text: string, what: string): string[] {
  const at = text.search(new RegExp(`(?<![^:])${what}(?![^:])`));
  return [text.slice(0, at), text.slice(at + what.length)];
}
