/** Published ports: can they be had, and how the network programs are told. */

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { RootlessError } from '../errors.ts';

/** One published port; ranges are already expanded. */
export type PortRequest = {
  readonly hostAddress?: string | undefined;
  /** 0 = any free port. */
  readonly hostPort: number;
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

/**
 * Checks each port by binding it for a moment, and fills in those that were left to choice.
 * @throws RootlessError PORT_TWICE, PORT_PRIVILEGED, PORT_IN_USE, ADDRESS_UNAVAILABLE
 */
export async function reservePorts(ports: readonly PortRequest[], firstFree: number): Promise<PortRequest[]> {
  refuseConflicts(ports);
  const reserved: PortRequest[] = [];
  for (const port of ports) {
    if (port.hostPort !== 0 && port.hostPort < firstFree) throw privileged(port, firstFree);
    reserved.push({ ...port, hostPort: await tryBind(port) });
  }
  return reserved;
}

/** Two requests for one host port, on one address or on all. */
export function refuseConflicts(ports: readonly PortRequest[]): void {
  ports.forEach((port, index) => {
    const rival = ports.slice(0, index).find((other) => other.hostPort === port.hostPort && port.hostPort !== 0 && overlaps(other, port));
    if (!rival) return;
    throw new RootlessError({
      code: 'PORT_TWICE',
      message: `port ${show(port)} is published twice`,
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
    const fail = (cause: NodeJS.ErrnoException) => void bindError(port, cause).then(reject);
    if (port.protocol === 'tcp') {
      const server = createServer().once('error', fail);
      server.listen({ port: port.hostPort, host: port.hostAddress, exclusive: true }, () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port.hostPort));
      });
    } else {
      const socket = createSocket(port.hostAddress?.includes(':') ? 'udp6' : 'udp4').once('error', fail);
      socket.bind({ port: port.hostPort, ...(port.hostAddress ? { address: port.hostAddress } : {}), exclusive: true }, () => {
        const bound = socket.address().port;
        socket.close(() => resolve(bound));
      });
    }
  });
}

async function bindError(port: PortRequest, cause: NodeJS.ErrnoException): Promise<RootlessError> {
  if (cause.code === 'EADDRINUSE') {
    const { listenerOf } = await import('./listener.ts');
    const who = listenerOf(port.hostPort, port.protocol);
    return new RootlessError({
      code: 'PORT_IN_USE',
      message: `port ${show(port)} is already in use`,
      why: who && `by ${who}`,
      fix: `see who has it: ss -lnp 'sport = :${port.hostPort}'`,
      cause,
    });
  }
  if (cause.code === 'EADDRNOTAVAIL') {
    return new RootlessError({
      code: 'ADDRESS_UNAVAILABLE',
      message: `cannot publish on "${port.hostAddress}": this machine does not have that address`,
      cause,
    });
  }
  return new RootlessError({
    code: 'PORT_UNAVAILABLE',
    message: `cannot publish port ${show(port)}: ${cause.code ?? cause.message}`,
    cause,
  });
}

function privileged(port: PortRequest, firstFree: number): RootlessError {
  return new RootlessError({
    code: 'PORT_PRIVILEGED',
    message: `cannot publish port ${show(port)}: ports below ${firstFree} are reserved for root`,
    why: `net.ipv4.ip_unprivileged_port_start is ${firstFree}`,
    fix: `publish another one (-p ${port.hostPort + 8000}:${port.containerPort}), or: sudo sysctl net.ipv4.ip_unprivileged_port_start=${port.hostPort}`,
  });
}

function show(port: PortRequest): string {
  const address = port.hostAddress?.includes(':') ? `[${port.hostAddress}]` : port.hostAddress;
  return `${address ? `${address}:` : ''}${port.hostPort}/${port.protocol}`;
}
