/** Name resolution inside a container: resolv.conf(5) and hosts(5). Pure. */

import { RootlessError } from '../errors.ts';

/** Addresses that a private network gives to the container. */
export type DnsPlan = {
  /** Answers DNS on behalf of the host's resolvers; undefined where nothing leads out. */
  readonly forwarder: string | undefined;
  /** Where the host itself is reached; undefined if this network offers no way. */
  readonly host: string | undefined;
  /** Of user-defined networks: who answers names of their containers, and knows whom to ask for others. */
  readonly servers?: readonly string[] | undefined;
  /** Its own addresses there. */
  readonly own?: readonly string[] | undefined;
};

export type HostEntry = { readonly name: string; readonly address: string };

/** What `--dns`, `--dns-search` and `--dns-option` said; an empty list = nothing said, a search list of `.` = none. */
export type DnsRequest = { readonly servers: readonly string[]; readonly search: readonly string[]; readonly options: readonly string[] };

/** What was asked for takes the place of what the text has of the same kind. */
export function requestedResolvConf(text: string, { servers, search, options }: DnsRequest): string {
  const lines = text.split('\n').map((line) => line.trim());
  const has = (list: readonly string[], words: RegExp) => (list.length > 0 ? [] : lines.filter((line) => words.test(line)));
  const one = (word: string, list: readonly string[]) => (list.length === 0 ? [] : [[word, ...list].join(' ')]);
  return [
    ...servers.map((server) => `nameserver ${server}`),
    ...has(servers, /^nameserver\s/),
    ...one('search', search.length === 1 && search[0] === '.' ? [] : search),
    ...has(search, /^(search|domain)\s/),
    ...one('options', options),
    ...has(options, /^options\s/),
    ...lines.filter((line) => /^sortlist\s/.test(line)),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/**
 * The host's resolv.conf as a container can use it: resolvers on loopback, link-local ones with a zone, and an empty list are replaced
 * by the forwarder; search and options stay.
 */
export function containerResolvConf(host: string, dns: DnsPlan | undefined): string {
  if (dns?.servers !== undefined && dns.servers.length > 0) return networkResolvConf(host, dns.servers);
  if (dns !== undefined && dns.forwarder === undefined) return '';
  const lines = host.split('\n').map((line) => line.trim());
  const servers = hostServers(host);
  const usable = servers.filter((server) => !isLoopback(server) && !server.includes('%') && server !== '0.0.0.0' && server !== '::');
  const chosen = dns?.forwarder ? [dns.forwarder, ...usable.filter((server) => server !== dns.forwarder)].slice(0, 3) : usable;
  const kept = lines.filter((line) => /^(search|domain|options|sortlist)\s/.test(line));
  return `${[...chosen.map((server) => `nameserver ${server}`), ...kept].join('\n')}\n`;
}

/** Names of containers are short: docker's `ndots:0` has them asked before a search domain is tried. */
function networkResolvConf(host: string, servers: readonly string[]): string {
  const lines = host.split('\n').map((line) => line.trim());
  const options = lines.flatMap((line) => /^options\s+(.*)/.exec(line)?.[1]?.split(/\s+/) ?? []).filter((one) => !/^ndots:/.test(one));
  const search = lines.filter((line) => /^(search|domain)\s/.test(line));
  const own = servers.slice(0, 3).map((server) => `nameserver ${server}`);
  return `${[...own, ...search, `options ${[...options, 'ndots:0'].join(' ')}`].join('\n')}\n`;
}

/** The name servers of resolv.conf(5). */
export function hostServers(text: string): string[] {
  return text.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
}

/**
 * docker's hosts file; `host-gateway` as an address means the host. `dns` undefined: the container shares the host's network, or has none.
 * @throws RootlessError HOST_UNREACHABLE
 */
export function hostsFile(hostname: string, added: readonly HostEntry[], dns: DnsPlan | undefined): string {
  const host = dns === undefined ? '127.0.0.1' : dns.host;
  const short = hostname.split('.', 1)[0] ?? hostname;
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...(dns?.own?.length ? dns.own : ['127.0.1.1']).map(
      (address) => `${address}\t${short === hostname ? hostname : `${hostname} ${short}`}`,
    ),
    ...(dns?.host ? [hostLine(dns.host)] : []),
    ...added.map(({ name, address }) => `${address === 'host-gateway' ? (host ?? unreachable(name)) : address}\t${name}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The host as docker and podman call it. */
export function hostLine(address: string): string {
  return `${address}\thost.docker.internal host.containers.internal`;
}

function unreachable(name: string): never {
  throw new RootlessError({
    code: 'HOST_UNREACHABLE',
    message: `cannot resolve "${name}" to the host`,
    why: 'the host has no IPv4 address, and what serves the network does not stand for it (a pasta since 2024-10 does, with --map-guest-addr)',
    fix: 'install a newer passt, or use --network host',
  });
}

/** Resolvers that only the host itself reaches. */
export function loopbackOnly(servers: readonly string[]): boolean {
  return servers.length > 0 && servers.every(isLoopback);
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
