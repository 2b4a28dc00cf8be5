/** Published ports: can they be had, and how the network programs are told. */

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { RootlessError } from '../errors.ts';
import { bindError, noneFree, privileged, showPort } from './port-errors.ts';

/** One published port; ranges are already expanded. */
export type PortRequest = {
  readonly hostAddress?: string | undefined;
  /** 0 = any free port. */
  readonly hostPort: number;
  /** Any free one from `hostPort` up to this. */
  readonly hostLast?: number | undefined;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
};

/** The first port that needs no privilege (ip(7), ip_unprivileged_port_start). */
export function firstFreePort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    return 1024;
  }
}

/** Which container of this user has a port. */
export type PortOwner = (port: number, protocol: PortRequest['protocol']) => Promise<string | undefined>;

/**
 * Checks each port by binding it for a moment, and fills in those that were left to choice.
 * @throws RootlessError PORT_TWICE, PORT_PRIVILEGED, PORT_IN_USE, ADDRESS_UNAVAILABLE
 */
export async function reservePorts(ports: readonly PortRequest[], firstFree: number, owner?: PortOwner): Promise<PortRequest[]> {
  refuseConflicts(ports);
  const reserved: PortRequest[] = [];
  for (const request of ports) {
    const { hostLast, ...port } = request;
    if (port.hostPort !== 0 && port.hostPort < firstFree) throw privileged(port, firstFree);
    const fixed = ports.filter((other) => other !== request && other.hostLast === undefined);
    const rivals = hostLast === undefined && port.hostPort !== 0 ? [] : [...fixed, ...reserved];
    const candidates = Array.from({ length: (hostLast ?? port.hostPort) - port.hostPort + 1 }, (_, i) => port.hostPort + i);
    reserved.push({ ...port, hostPort: await firstThatBinds(port, candidates, rivals, owner) });
  }
  return reserved;
}

async function firstThatBinds(
  port: PortRequest,
  candidates: readonly number[],
  rivals: readonly PortRequest[],
  owner: PortOwner | undefined,
): Promise<number> {
  const isOurs = (number: number) => rivals.some((other) => other.hostPort === number && overlaps(other, port));
  let refused: NodeJS.ErrnoException | undefined;
  for (const hostPort of candidates) {
    if (hostPort !== 0 && isOurs(hostPort)) continue;
    const bound = await tryBind({ ...port, hostPort }).catch((cause: NodeJS.ErrnoException) => {
      refused ??= cause;
    });
    if (bound === undefined) continue;
    // The kernel may choose one twice: nobody holds it meanwhile.
    return isOurs(bound) ? firstThatBinds(port, candidates, rivals, owner) : bound;
  }
  if (candidates.length > 1) throw noneFree(port, candidates);
  throw await bindError(port, refused, owner);
}

/** Two requests for one host port, on one address or on all. */
export function refuseConflicts(ports: readonly PortRequest[]): void {
  ports.forEach((port, index) => {
    const fixed = ports.slice(0, index).filter(({ hostLast }) => hostLast === undefined);
    const rival = fixed.find((other) => other.hostPort === port.hostPort && port.hostPort !== 0 && overlaps(other, port));
    if (!rival || port.hostLast !== undefined) return;
    throw new RootlessError({
      code: 'PORT_TWICE',
      message: `port ${showPort(port)} is published twice`,
      why: `for container ports ${rival.containerPort} and ${port.containerPort}`,
    });
  });
}

function overlaps(one: PortRequest, other: PortRequest): boolean {
  const [a, b] = [one.hostAddress ?? '', other.hostAddress ?? ''];
  return one.protocol === other.protocol && (a === b || isAny(a) || isAny(b));
}

function isAny(address: string): boolean {
  return address === '' || address === '0.0.0.0' || address === '::';
}

function tryBind(port: PortRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    if (port.protocol === 'tcp') {
      const server = createServer().once('error', reject);
      server.listen({ port: port.hostPort, host: port.hostAddress, exclusive: true }, () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port.hostPort));
      });
    } else {
      const socket = createSocket(port.hostAddress?.includes(':') ? 'udp6' : 'udp4').once('error', reject);
      socket.bind({ port: port.hostPort, ...(port.hostAddress ? { address: port.hostAddress } : {}), exclusive: true }, () => {
        const bound = socket.address().port;
        socket.close(() => resolve(bound));
      });
    }
  });
}
