/** pasta(1): the container's network over the host's own sockets. Which options it gets. Pure. */

import type { PortRequest } from './ports.ts';

/** Answers DNS for the container: link-local, so it can be nobody else's. */
export const pastaForwarder = '169.254.1.1';
/** Stands for the host, with a pasta that has --map-guest-addr (since 2024-10). */
export const pastaHost = '169.254.1.2';

export type PastaWish = {
  readonly ports: readonly PortRequest[];
  /** Options that this version knows, of those that not all have. */
  readonly knows: ReadonlySet<string>;
  readonly asRoot: boolean;
  /** Name of its interface in the container; the host's without it. */
  readonly ifname?: string | undefined;
  /** Another IPv4 address than the host's. */
  readonly place?: { readonly address: string; readonly gateway: string } | undefined;
  /** Of its interface; needs `ns-mac-addr`. */
  readonly mac?: string | undefined;
  /** Of the user: they take the place of ours. */
  readonly options?: readonly string[] | undefined;
};

/** What `pasta --help` is searched for. */
export const pastaVaries = ['map-guest-addr', 'ns-mac-addr', 'no-netns-quit'] as const;

/**
 * Goes to the background when it serves, which is how the helper knows. pasta's own defaults forward every port that is bound
 * on either side, and the gateway's address to the host's loopback: all three are switched off.
 */
export function pastaArgs(program: string, { ports, knows, asRoot, ifname, place, mac, options = [] }: PastaWish): string[] {
  const asked = askedOf(options);
  const unless = (flag: string, ...words: string[]) => (asked.has(flag) ? [] : words);
  return [
    program,
    '--quiet',
    // As root it would become nobody, who may not enter the container's namespaces; it sandboxes itself all the same.
    ...(asRoot ? unless('--runas', '--runas', '0') : []),
    ...unless('--config-net', '--config-net'),
    ...unless('--map-gw', ...unless('--no-map-gw', '--no-map-gw')),
    ...unless('--mtu', '--mtu', '65520'),
    ...unless('--dns-forward', '--dns-forward', pastaForwarder),
    ...(knows.has('map-guest-addr') ? unless('--map-guest-addr', '--map-guest-addr', pastaHost) : []),
    // It is ended with the container, and may begin before there is a process of that.
    ...(knows.has('no-netns-quit') ? unless('--no-netns-quit', '--no-netns-quit') : []),
    ...(place === undefined ? [] : ['-a', place.address, '-n', '24', '-g', place.gateway]),
    ...(ifname === undefined ? [] : unless('--ns-ifname', '--ns-ifname', ifname)),
    ...(mac === undefined ? [] : unless('--ns-mac-addr', '--ns-mac-addr', mac)),
    ...forwards('-t', ports, 'tcp', asked.has('--tcp-ports')),
    ...forwards('-u', ports, 'udp', asked.has('--udp-ports')),
    ...unless('--tcp-ns', '-T', 'none'),
    ...unless('--udp-ns', '-U', 'none'),
    // podman's word for "without --no-map-gw".
    ...options.filter((word) => word !== '--map-gw'),
    '{pid}',
  ];
}

/** Long names of the options that the user gave. */
export function askedOf(options: readonly string[]): ReadonlySet<string> {
  return new Set(options.flatMap((word) => spelled(word)));
}

const letters: Readonly<Record<string, string>> = {
  a: '--address',
  g: '--gateway',
  n: '--netmask',
  m: '--mtu',
  I: '--ns-ifname',
  t: '--tcp-ports',
  u: '--udp-ports',
  T: '--tcp-ns',
  U: '--udp-ns',
};

/** Its long name: `-T`, `-T5432`, `--tcp-ns=5432`. */
function spelled(word: string): string[] {
  if (word.startsWith('--')) return [word.replace(/=.*$/, '')];
  return word.startsWith('-') ? [letters[word[1] ?? ''] ?? word] : [];
}

/** A range that goes on on both sides is one word: pasta reads at most a few hundred. */
function forwards(flag: string, ports: readonly PortRequest[], protocol: PortRequest['protocol'], asked: boolean): string[] {
  const wanted = ports.filter((port) => port.protocol === protocol);
  if (wanted.length === 0) return asked ? [] : [flag, 'none'];
  return runs(wanted).flatMap(({ first, count }) => {
    const { hostAddress, hostPort, containerPort } = first;
    const span = (from: number) => (count === 1 ? String(from) : `${from}-${from + count - 1}`);
    return [flag, `${hostAddress ? `${hostAddress}/` : ''}${span(hostPort)}:${span(containerPort)}`];
  });
}

function runs(ports: readonly PortRequest[]): { readonly first: PortRequest; count: number }[] {
  const found: { readonly first: PortRequest; count: number }[] = [];
  for (const port of ports) {
    const last = found.at(-1);
    const follows =
      last !== undefined &&
      last.first.hostAddress === port.hostAddress &&
      last.first.hostPort + last.count === port.hostPort &&
      last.first.containerPort + last.count === port.containerPort;
    if (follows) last.count += 1;
    else found.push({ first: port, count: 1 });
  }
  return found;
}
