/** `--filter` of the volume commands. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { usersOf } from '../runtime/volume-claims.ts';
import type { Volume } from '../runtime/volume-store.ts';
import { BadValue } from './values/bad.ts';
import { type Filter, filterParser, hasLabel, passes } from './values/filter.ts';
import { parseTime } from './values/time.ts';

const parse = filterParser(['dangling', 'driver', 'label', 'label!', 'name', 'until']);

export const listFilter = (text: string): Filter => checked(parse(text));

/** `volume prune`: docker's `all=true` is the flag's other spelling. */
const parsePrune = filterParser(['all', 'label', 'label!', 'until']);

export const pruneFilter = (text: string): Filter => checked(parsePrune(text));

export function volumeTest(paths: Paths, filters: readonly Filter[]): (volume: Volume) => boolean {
  const asked = filters.filter(({ key }) => key !== 'all');
  return (volume) => passes(asked, (key, value) => matches(paths, volume, key, value));
}

export function isTrue(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new BadValue(`invalid filter value "${text}"`, { fix: 'it is true or false' });
}

function matches(paths: Paths, volume: Volume, key: string, value: string): boolean {
  switch (key) {
    case 'dangling':
      return (usersOf(paths, volume).length === 0) === isTrue(value);
    case 'driver':
      return value === 'local';
    case 'name':
      return named(volume.name, value);
    case 'label':
      return hasLabel(volume.labels, value);
    case 'label!':
      return !hasLabel(volume.labels, value);
    default:
      return Date.parse(volume.created) < parseTime(value);
  }
}

/** A part of the name, or a regular expression: docker takes both. */
function named(name: string, pattern: string): boolean {
  try {
    return name.includes(pattern) || new RegExp(pattern).test(name);
  } catch {
    throw new RootlessError({ code: 'FILTER_INVALID', message: `invalid filter 'name=${pattern}'`, why: 'it is no regular expression' });
  }
}

function checked(filter: Filter): Filter {
  if (filter.key === 'dangling' || filter.key === 'all') isTrue(filter.value);
  if (filter.key === 'until') parseTime(filter.value);
  return filter;
}
