/** Which blocks of addresses networks get, and which address of a block is next. Pure. */

import { RootlessError } from '../errors.ts';
import { type Block, blockOf, type Family, formatBlock, formatIp, holds, type Ip, lastOf, overlap, parseBlock, parseIp } from './ip.ts';
import { refuseSpecial, refuseTaken } from './refused-blocks.ts';

/** Of one family of a network, as text: network.json. */
export type Subnet = {
  readonly subnet: string;
  readonly gateway: string;
  readonly ipRange?: string | undefined;
  /** Addresses that no container gets, by a name: docker's auxiliary addresses. */
  readonly reserved?: Readonly<Record<string, string>> | undefined;
};

export type SubnetRequest = Omit<Subnet, 'gateway'> & { readonly gateway?: string | undefined };

/** podman's pool; what docker and podman themselves begin with stays free. */
const pool = (second: number, third: number): Block => ({
  family: 4,
  value: BigInt((10 << 24) + (second << 16) + (third << 8)),
  length: 24,
});

/** The first /24 of 10.89.0.0 to 10.255.0.0 that nothing else has. @throws RootlessError SUBNETS_EXHAUSTED */
export function pickSubnet(taken: readonly Block[]): Subnet {
  for (let second = 89; second < 256; second += 1) {
    for (let third = 0; third < 256; third += 1) {
      const block = pool(second, third);
      if (!taken.some((other) => overlap(other, block))) return withGateway(block);
    }
  }
  throw new RootlessError({
    code: 'SUBNETS_EXHAUSTED',
    message: 'could not find an available, non-overlapping IPv4 address pool for the network',
    why: 'networks and routes of this machine take all of 10.89.0.0-10.255.255.255',
    fix: 'choose one: rootless network create --subnet 172.30.0.0/24 NAME',
    exit: 1,
  });
}

/** A unique local block (RFC 4193) from the network's own random id. */
export function pickSubnet6(id: string): Subnet {
  return withGateway({ family: 6, value: (0xfdn << 120n) | (BigInt(`0x${id.slice(0, 14)}`) << 64n), length: 64 });
}

/** @throws RootlessError SUBNET_INVALID, SUBNET_TAKEN */
export function checkSubnet(asked: SubnetRequest, networks: readonly Block[], routes: readonly Block[]): Subnet {
  const block = parseBlock(asked.subnet);
  if (block === undefined) throw badBlock('subnet', asked.subnet);
  const smallest = block.family === 4 ? 30 : 126;
  if (block.length > smallest || block.length === 0) {
    throw invalid(`invalid subnet ${asked.subnet}`, `a network needs between two addresses and part of all of them: at most /${smallest}`);
  }
  refuseSpecial(block);
  refuseTaken(block, networks, routes);
  const gateway = asked.gateway === undefined ? { family: block.family, value: block.value + 1n } : within(block, asked.gateway, 'gateway');
  const ipRange = asked.ipRange === undefined ? undefined : rangeIn(block, asked.ipRange);
  const entries = Object.entries(asked.reserved ?? {});
  const reserved = Object.fromEntries(entries.map(([name, text]) => [name, formatIp(within(block, text, 'aux-address'))]));
  return {
    subnet: asked.subnet,
    gateway: formatIp(gateway),
    ...(ipRange === undefined ? {} : { ipRange }),
    ...(entries.length === 0 ? {} : { reserved }),
  };
}

/** Blocks of a network's subnets. */
export function blocksOf(subnets: readonly Subnet[]): Block[] {
  return subnets.flatMap(({ subnet }) => parseBlock(subnet) ?? []);
}

export function familyOf({ subnet }: Pick<Subnet, 'subnet'>): Family {
  return subnet.includes(':') ? 6 : 4;
}

export function lengthOf({ subnet }: Pick<Subnet, 'subnet'>): number {
  return Number(subnet.split('/')[1]);
}

/** The lowest address that nobody has; undefined when there is none. */
export function nextAddress(subnet: Subnet, taken: ReadonlySet<string>): string | undefined {
  const whole = parseBlock(subnet.subnet);
  if (whole === undefined) return undefined;
  const range = (subnet.ipRange && parseBlock(subnet.ipRange)) || whole;
  const end = lastOf(range);
  const kept = new Set([subnet.gateway, ...Object.values(subnet.reserved ?? {})]);
  for (let value = range.value; value <= end; value += 1n) {
    const text = formatIp({ family: whole.family, value });
    if (isUsable(whole, value) && !kept.has(text) && !taken.has(text)) return text;
  }
  return undefined;
}

/** @throws RootlessError ADDRESS_OUTSIDE: not an address of the network that a container can have */
export function checkAddress(text: string, subnet: Subnet, network: string): string {
  const block = parseBlock(subnet.subnet);
  const ip = parseIp(text);
  if (block && ip && holds(block, ip) && isUsable(block, ip.value) && formatIp(ip) !== subnet.gateway) return formatIp(ip);
  throw new RootlessError({
    code: 'ADDRESS_OUTSIDE',
    message: `invalid address ${text}: it is no address for a container of network "${network}"`,
    why: `its subnet is ${subnet.subnet}, and ${subnet.gateway} is the network's own address`,
  });
}

/** The first and the last address of a block of IPv4 are nobody's, and so is the first of IPv6. */
function isUsable(block: Block, value: bigint): boolean {
  return value !== block.value && (block.family === 6 || value !== lastOf(block));
}

function withGateway(block: Block): Subnet {
  return { subnet: formatBlock(block), gateway: formatIp({ family: block.family, value: block.value + 1n }) };
}

function within(block: Block, text: string, what: string): Ip {
  const ip = parseIp(text);
  if (ip === undefined) throw invalid(`invalid ${what} ${text}`, 'it is no IP address');
  if (!holds(block, ip) || !isUsable(block, ip.value)) {
    throw invalid(`no matching subnet for ${what} ${text}`, `${formatBlock(block)} is the network's subnet`);
  }
  return ip;
}

function rangeIn(block: Block, text: string): string {
  const range = parseBlock(text);
  if (range === undefined) throw badBlock('ip-range', text);
  if (range.family === block.family && holds(block, range) && lastOf(range) <= lastOf(block)) return text;
  throw invalid(`no matching subnet for range ${text}`, `${formatBlock(block)} is the network's subnet`);
}

function badBlock(what: string, text: string): RootlessError {
  const [address = '', length = ''] = text.split('/');
  const ip = parseIp(address);
  const better = ip && /^\d+$/.test(length) && Number(length) <= (ip.family === 4 ? 32 : 128) ? blockOf(ip, Number(length)) : undefined;
  return invalid(
    `invalid ${what} "${text}"`,
    better ? `bits are set behind its length: ${formatBlock(better)} is meant` : 'it is no block of addresses: 10.90.0.0/24',
  );
}

function invalid(message: string, why: string): RootlessError {
  return new RootlessError({ code: 'SUBNET_INVALID', message, why, exit: 1 });
}
