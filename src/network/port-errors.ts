/** Why a port cannot be published, and who has it. */

import { RootlessError } from '../errors.ts';
import type { PortOwner, PortRequest } from './ports.ts';

export function noneFree({ protocol }: PortRequest, candidates: readonly number[]): RootlessError {
  return new RootlessError({
    code: 'PORT_IN_USE',
    message: `no port of ${candidates[0]}-${candidates.at(-1)}/${protocol} is free`,
    fix: 'publish a larger range, or -p PORT alone: any free port',
  });
}

export async function bindError(port: PortRequest, cause: NodeJS.ErrnoException | undefined, owner?: PortOwner): Promise<RootlessError> {
  if (cause?.code === 'EADDRINUSE') {
    const container = await owner?.(port.hostPort, port.protocol);
    if (container !== undefined) return heldBy(container, port, cause);
    const { listenerOf } = await import('./listener.ts');
    const who = listenerOf(port.hostPort, port.protocol);
    return new RootlessError({
      code: 'PORT_IN_USE',
      message: `port ${showPort(port)} is already in use`,
      why: who && `by ${who}`,
      fix: `see who has it: ss -lnp 'sport = :${port.hostPort}'`,
      cause,
    });
  }
  if (cause?.code === 'EADDRNOTAVAIL') {
    return new RootlessError({
      code: 'ADDRESS_UNAVAILABLE',
      message: `cannot publish on "${port.hostAddress}": this machine does not have that address`,
      cause,
    });
  }
  return new RootlessError({
    code: 'PORT_UNAVAILABLE',
    message: `cannot publish port ${showPort(port)}: ${cause?.code ?? cause?.message}`,
    cause,
  });
}

function heldBy(container: string, port: PortRequest, cause: Error): RootlessError {
  return new RootlessError({
    code: 'PORT_IN_USE',
    message: `port ${showPort(port)} is already in use`,
    why: `by container "${container}"`,
    fix: `rootless stop ${container}, or another port`,
    cause,
  });
}

export function privileged(port: PortRequest, firstFree: number): RootlessError {
  return new RootlessError({
    code: 'PORT_PRIVILEGED',
    message: `cannot publish port ${showPort(port)}: ports below ${firstFree} are reserved for root`,
    why: `net.ipv4.ip_unprivileged_port_start is ${firstFree}`,
    fix: `publish another one (-p ${port.hostPort + 8000}:${port.containerPort}), or: sudo sysctl net.ipv4.ip_unprivileged_port_start=${port.hostPort}`,
  });
}

export function showPort(port: PortRequest): string {
  const address = port.hostAddress?.includes(':') ? `[${port.hostAddress}]` : port.hostAddress;
  return `${address ? `${address}:` : ''}${port.hostPort}/${port.protocol}`;
}
