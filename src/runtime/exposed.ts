/** `-P`: every port that the image or --expose names gets a free port of the host. Pure. */

import type { ContainerOptions, PortRequest } from './options.ts';
import type { ImageDefaults } from './process.ts';

/** What was published by hand stays as it is. */
export function publishAll(options: Pick<ContainerOptions, 'ports' | 'expose'>, image: ImageDefaults): PortRequest[] {
  const published = new Set(options.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const all = exposedPorts(options.expose, image);
  return [...options.ports, ...all.filter((port) => !published.has(`${port.containerPort}/${port.protocol}`))];
}

/** The ports of `--expose` and of the image, each once. */
export function exposedPorts(expose: readonly string[], { exposedPorts: image = [] }: ImageDefaults): PortRequest[] {
  const ports = new Map([...image, ...expose].flatMap(expand).map((port) => [`${port.containerPort}/${port.protocol}`, port]));
  return [...ports.values()];
}

/** `80`, `53/udp`, `8000-8010/tcp`; what an image misspells is left out. */
function expand(text: string): PortRequest[] {
  const [, first = '', last = first, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/i.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === '' || from < 1 || to > 65535 || to < from) return [];
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    hostPort: 0,
    containerPort: from + index,
    protocol: protocol.toLowerCase() === 'udp' ? ('udp' as const) : ('tcp' as const),
  }));
}
