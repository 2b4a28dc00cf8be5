/** Blocks of addresses that a network cannot have: the kernel or the way out means something else by them, or they are taken. Pure. */

import { RootlessError } from '../errors.ts';
import { bitsOf, type Block, formatBlock, overlap, parseBlock } from './ip.ts';

const special: readonly (readonly [block: string, why: string])[] = [
  ['0.0.0.0/8', 'stands for "this network"'],
  ['127.0.0.0/8', 'is the loopback of each container'],
  ['169.254.0.0/16', 'is for one link: over 169.254.1.1 and 169.254.1.2 a container asks for names, and reaches this machine'],
  ['224.0.0.0/3', 'is for groups of machines, or reserved'],
  ['::/8', 'has the loopback, and IPv4 in other words'],
  ['fe80::/10', 'is for one link'],
  ['ff00::/8', 'is for groups of machines'],
];

/** A larger block around it is none: its first addresses, which containers get, are elsewhere. */
const uplink = ['10.0.2.0/24', 'is where the way out of a container is, uplink0'] as const;

/** @throws RootlessError SUBNET_INVALID */
export function refuseSpecial(block: Block): void {
  const meets = (text: string, other: Block) => {
    const one = parseBlock(text);
    return one !== undefined && overlap(one, other);
  };
  const first = { ...block, length: bitsOf(block.family) };
  const found = special.find(([text]) => meets(text, block)) ?? (meets(uplink[0], first) ? uplink : undefined);
  if (found === undefined) return;
  throw new RootlessError({
    code: 'SUBNET_INVALID',
    message: `invalid subnet ${formatBlock(block)}: a network cannot have these addresses`,
    why: `${found[0]} ${found[1]}`,
    fix: 'a part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fd00::/8; without --subnet a free one is chosen',
    exit: 1,
  });
}

/** @throws RootlessError SUBNET_TAKEN */
export function refuseTaken(block: Block, networks: readonly Block[], routes: readonly Block[]): void {
  const network = networks.find((other) => overlap(other, block));
  const route = routes.find((other) => overlap(other, block));
  if (network === undefined && route === undefined) return;
  throw new RootlessError({
    code: 'SUBNET_TAKEN',
    message: `subnet ${formatBlock(block)} is already used`,
    why: network
      ? `a network has ${formatBlock(network)}`
      : `this machine has a route to ${formatBlock(route as Block)}, which containers could not reach any more`,
    fix: network ? 'rootless network ls; without --subnet a free one is chosen' : 'without --subnet a free one is chosen',
    exit: 1,
  });
}
