/** `--network`: a mode, or networks of the user's with options; docker's three spellings and podman's. */

import { isIP } from 'node:net';
import { isName } from '../../network/names.ts';
import type { ContainerOptions, NetworkRequest, UplinkRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { parseCsv } from './csv.ts';

/** What one `--network` says. */
export type NetworkWord =
  | {
      readonly kind: 'mode';
      readonly network: Exclude<ContainerOptions['network'], 'networks'>;
      readonly of?: string;
      readonly uplink?: UplinkRequest;
    }
  | { readonly kind: 'networks'; readonly networks: readonly NetworkRequest[] };

/** `private`, `pasta:--mtu,1500`, `container:web`, `ns:/run/netns/x`, `front,back`, `front:ip=10.89.0.9,alias=db`, `name=front,alias=db`. */
export function parseNetwork(text: string): NetworkWord {
  const mode = parseMode(text);
  if (mode !== undefined) return { kind: 'mode', ...mode };
  if (/(^|,)name=/.test(text)) return { kind: 'networks', networks: [fromPairs('', parseCsv(text))] };
  const colon = text.indexOf(':');
  if (colon !== -1) return { kind: 'networks', networks: [fromPairs(checkName(text.slice(0, colon)), parseCsv(text.slice(colon + 1)))] };
  return { kind: 'networks', networks: text.split(',').map((name) => ({ network: checkName(name), aliases: [] })) };
}

/** docker's and podman's words for the default network mean ours. */
export function networkMode(text: string): string {
  return text === 'bridge' || text === 'default' || text === 'pasta' || text === 'slirp4netns' ? 'private' : text;
}

function parseMode(text: string): Omit<Extract<NetworkWord, { kind: 'mode' }>, 'kind'> | undefined {
  if (text === 'host' || text === 'none' || text === 'private') return { network: text };
  if (text === 'bridge' || text === 'default') return { network: 'private' };
  const [, word = '', rest] = /^(pasta|slirp4netns|container|ns)(?::(.*))?$/s.exec(text) ?? [];
  if (word === 'pasta') return { network: 'private', uplink: { program: 'pasta', options: splitOptions(rest) } };
  if (word === 'slirp4netns') return { network: 'private', uplink: { program: 'slirp4netns', options: splitOptions(rest) } };
  if (word === 'container' && rest) return { network: 'container', of: rest };
  if (word === 'ns' && rest) {
    if (rest.startsWith('/')) return { network: 'namespace', of: rest };
    throw new BadValue(`"${rest}" is not an absolute path`, { fix: '--network ns:/proc/PID/ns/net' });
  }
  if (word === 'container') throw new BadValue('invalid container format container:<name|id>', { fix: '--network container:NAME' });
  if (word === 'ns') throw new BadValue('a path is missing', { fix: '--network ns:/proc/PID/ns/net' });
  return undefined;
}

function splitOptions(text: string | undefined): string[] {
  return text === undefined || text === '' ? [] : text.split(',');
}

function checkName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name) && name.length <= 128) return name;
  throw new BadValue(`invalid network name "${name}"`, {
    fix: '"rootless network ls" lists the networks; others are private, host and none',
  });
}

const optionKeys = 'ip, ip6, mac, alias, interface_name';

function fromPairs(name: string, pairs: readonly string[]): NetworkRequest {
  let request: NetworkRequest = { network: name, aliases: [] };
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const [key, value] = equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    if (value === '') throw new BadValue(`invalid option "${pair}" of network`, { fix: `options are ${optionKeys}` });
    request = withOption(request, key, value);
  }
  if (request.network === '') throw new BadValue('name= is missing');
  return request;
}

function withOption(request: NetworkRequest, key: string, value: string): NetworkRequest {
  switch (key) {
    case 'name':
      return { ...request, network: checkName(value) };
    case 'alias':
      return { ...request, aliases: [...request.aliases, parseAlias(value)] };
    case 'ip':
      return isIP(value) === 6 ? { ...request, ip6: parseIp6(value) } : { ...request, ip: parseIp4(value) };
    case 'ip6':
      return { ...request, ip6: parseIp6(value) };
    case 'mac':
    case 'mac-address':
      return { ...request, mac: parseMac(value) };
    case 'interface_name':
      return { ...request, interface: parseInterface(value) };
    default:
      throw new BadValue(`invalid option "${key}" of network`, { fix: `options are ${optionKeys}` });
  }
}

export function parseIp4(text: string): string {
  if (isIP(text) === 4) return text;
  throw new BadValue(`invalid IPv4 address: ${text}`);
}

export function parseIp6(text: string): string {
  if (isIP(text) === 6 && !text.includes('%')) return text;
  throw new BadValue(`invalid IPv6 address: ${text}`);
}

/** Six bytes; the lowest bit of the first would make it an address of many. */
export function parseMac(text: string): string {
  const mac = text.toLowerCase().replaceAll('-', ':');
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) throw new BadValue(`invalid mac-address ${text}: six bytes in hex, 02:42:ac:11:00:02`);
  if (/^[0:]+$/.test(mac)) throw new BadValue(`invalid mac-address ${text}: it is nobody's`);
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1) throw new BadValue(`invalid mac-address ${text}: it is a multicast address`);
  return mac;
}

/** A name as DNS has it. */
export function parseAlias(text: string): string {
  if (isName(text)) return text;
  throw new BadValue(`invalid network alias "${text}"`, { why: 'it has letters, digits, "-", "_" and dots between them' });
}

/** The kernel's rule; lo is there already, and uplink0 leads out. */
export function parseInterface(text: string): string {
  if (/^[^\s/:%]{1,15}$/.test(text) && !['.', '..', 'lo', 'uplink0'].includes(text)) return text;
  throw new BadValue(`invalid interface name "${text}"`, { fix: 'up to 15 letters, none of them "/", ":" or "%"' });
}
