/** Ports of a container as docker's PORTS column has them: neighbours as one range. */

import type { PortRequest } from '../runtime/options.ts';

type Shown = { readonly address: string; readonly outside: number; readonly inside: number; readonly protocol: string };

/** @param exposed  `80/tcp`: shown too where they are not published */
export function portsText(published: readonly PortRequest[], exposed: readonly string[]): string {
  const ports = [...published.map(shown), ...unpublished(published, exposed)].sort(compare);
  const same = ports.filter(({ outside, inside }) => outside === inside || outside === 0);
  const mapped = ports.filter(({ outside, inside }) => outside !== inside && outside !== 0);
  return [...ranges(same), ...mapped.map((port) => `${join(port.address, port.outside)}->${port.inside}/${port.protocol}`)].join(', ');
}

function shown({ hostAddress, hostPort, containerPort, protocol }: PortRequest): Shown {
  return { address: hostAddress || '0.0.0.0', outside: hostPort, inside: containerPort, protocol };
}

function unpublished(published: readonly PortRequest[], exposed: readonly string[]): Shown[] {
  const known = new Set(published.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  return exposedPorts(exposed)
    .filter((port) => !known.has(port))
    .map((port) => {
      const [inside = '', protocol = 'tcp'] = port.split('/');
      return { address: '', outside: 0, inside: Number(inside), protocol };
    });
}

/** `8000-8002/tcp` and `53/udp` one by one, each once. */
export function exposedPorts(exposed: readonly string[]): string[] {
  const all = exposed.flatMap((text) => {
    const [range = '', protocol = 'tcp'] = text.split('/');
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: Math.max(0, Math.min(last - first + 1, 65536)) }, (_, i) => `${first + i}/${protocol}`);
  });
  return [...new Set(all)];
}

/** Ports that are the same inside and outside, or only exposed. */
function ranges(ports: readonly Shown[]): string[] {
  const done: string[] = [];
  const open = new Map<string, { readonly port: Shown; last: number }>();
  for (const port of ports) {
    const key = `${port.outside === 0 && port.address !== '' ? 'any ' : ''}${port.address}/${port.protocol}`;
    const range = open.get(key);
    if (range?.last === port.inside - 1) range.last = port.inside;
    else {
      if (range) done.push(rangeText(range.port, range.last));
      open.set(key, { port, last: port.inside });
    }
  }
  return [...done, ...[...open.values()].map(({ port, last }) => rangeText(port, last))];
}

function rangeText({ address, outside, inside, protocol }: Shown, last: number): string {
  const inner = inside === last ? String(inside) : `${inside}-${last}`;
  if (address === '') return `${inner}/${protocol}`;
  // Which port of the host it is shows once it has started.
  return `${join(address, outside === 0 ? '' : inner)}->${inner}/${protocol}`;
}

function join(address: string, port: number | string): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function compare(a: Shown, b: Shown): number {
  return (
    a.inside - b.inside ||
    (a.address < b.address ? -1 : a.address > b.address ? 1 : 0) ||
    a.outside - b.outside ||
    (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0)
  );
}
