/** Where the host itself is reached by a container whose pasta cannot stand for it: at its own address, if the container has another one. */

import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { overlap, parseBlock } from './ip.ts';
import { parseRoutes } from './routes.ts';

export type OwnPlace = {
  /** The container's, and its gateway: slirp4netns' addresses, which programs know. */
  readonly address: string;
  readonly gateway: string;
  /** The host's. */
  readonly host: string;
};

type Interfaces = Readonly<Record<string, readonly { readonly family: string; readonly address: string }[] | undefined>>;

/** undefined where the host has no IPv4 way out, or those addresses are somebody's. */
export function ownPlace(): OwnPlace | undefined {
  try {
    return choosePlace(readFileSync('/proc/net/route', 'latin1'), networkInterfaces());
  } catch {
    return undefined;
  }
}

/** `routes` as /proc/net/route: the interface of the default route has the host's address. */
export function choosePlace(routes: string, interfaces: Interfaces): OwnPlace | undefined {
  const block = parseBlock('10.0.2.0/24');
  if (block === undefined || parseRoutes(routes).some((route) => overlap(route, block))) return undefined;
  const host = chooseAddress(routes, interfaces);
  return host === undefined ? undefined : { address: '10.0.2.100', gateway: '10.0.2.2', host };
}

/** The host's own IPv4 address; undefined where it has no way out. */
export function ownAddress(): string | undefined {
  try {
    return chooseAddress(readFileSync('/proc/net/route', 'latin1'), networkInterfaces());
  } catch {
    return undefined;
  }
}

function chooseAddress(routes: string, interfaces: Interfaces): string | undefined {
  const lines = routes.split('\n').map((line) => line.trim().split(/\s+/));
  const name = lines.find((fields) => fields[1] === '00000000' && fields[7] === '00000000')?.[0] ?? '';
  return interfaces[name]?.find(({ family }) => family === 'IPv4')?.address;
}
