/** `--filter` of the network commands: docker's keys, and podman's `until` and `dangling`. */

import type { Paths } from '../paths.ts';
import { leasesOf } from '../runtime/network-leases.ts';
import { isOwn, type Shown } from './network-row.ts';
import { BadValue } from './values/bad.ts';
import { type Filter, filterParser, hasLabel, passes } from './values/filter.ts';
import { parseTime } from './values/time.ts';
import { isTrue } from './volume-filter.ts';

const parse = filterParser(['dangling', 'driver', 'id', 'label', 'label!', 'name', 'scope', 'type', 'until']);
const parsePrune = filterParser(['label', 'label!', 'until']);

export function listFilter(text: string): Filter {
  const filter = parse(text);
  const { key, value } = filter;
  if (key === 'dangling') isTrue(value);
  if (key === 'until') parseTime(value);
  if (key === 'type' && value !== 'custom' && value !== 'builtin') {
    throw new BadValue(`invalid filter 'type=${value}'`, { fix: 'types are custom and builtin' });
  }
  return filter;
}

export function pruneFilter(text: string): Filter {
  const filter = parsePrune(text);
  if (filter.key === 'until') parseTime(filter.value);
  return filter;
}

export function networkTest(paths: Paths, filters: readonly Filter[]): (network: Shown) => boolean {
  return (network) => passes(filters, (key, value) => matches(paths, network, key, value));
}

function matches(paths: Paths, network: Shown, key: string, value: string): boolean {
  const own = isOwn(network) ? network : undefined;
  switch (key) {
    case 'name':
      return network.name.includes(value) || fits(value, network.name);
    case 'id':
      return network.id.startsWith(value);
    case 'driver':
      return network.driver === value;
    case 'scope':
      return value === 'local';
    case 'type':
      return (own !== undefined) === (value === 'custom');
    case 'dangling':
      return own !== undefined && (leasesOf(paths, own).size === 0) === isTrue(value);
    case 'label':
      return hasLabel(own?.labels ?? {}, value);
    case 'label!':
      return !hasLabel(own?.labels ?? {}, value);
    default:
      return own !== undefined && Date.parse(own.created) < parseTime(value);
  }
}

function fits(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return false;
  }
}
