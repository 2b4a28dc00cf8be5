/** `--userns host|keep-id[:uid=N,gid=N,size=N]|nomap|auto[:size=N,uidmapping=LINE,gidmapping=LINE]`, and the lines of `--uidmap`. */

import type { MapLine, UsernsRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';

const allowed: Record<string, readonly string[]> = Object.assign(Object.create(null), {
  host: [],
  nomap: [],
  'keep-id': ['uid', 'gid', 'size'],
  auto: ['size', 'uidmapping', 'gidmapping'],
});

/** 2^32-1 means "no id" in every system call that takes one. */
const noId = 0xffff_ffff;

export function parseUserns(text: string): UsernsRequest {
  const colon = text.indexOf(':');
  const kind = colon === -1 ? text : text.slice(0, colon);
  const keys = allowed[kind];
  if (keys === undefined) throw new BadValue(`invalid USER mode: "${text}"`, { fix: 'modes are host, keep-id, nomap and auto' });
  const values: Record<string, number> = Object.create(null);
  const lines: Record<string, MapLine[]> = { uidmapping: [], gidmapping: [] };
  for (const pair of colon === -1 ? [] : text.slice(colon + 1).split(',')) {
    const [, key = '', value = ''] = /^(\w+)=(.+)$/.exec(pair) ?? [];
    const number = /^\d{1,10}$/.test(value) ? Number(value) : noId;
    if (!keys.includes(key) || (!(key in lines) && (number >= noId || (key === 'size' && number === 0))))
      throw new BadValue(`invalid option "${pair}" of ${kind}`);
    if (key in lines) lines[key]?.push(parseIdLine(value));
    else values[key] = number;
  }
  const { uid, gid, size } = values;
  const given = Object.fromEntries(Object.entries({ uid, gid, size }).filter(([, value]) => value !== undefined));
  if (kind === 'keep-id') return { kind, ...given };
  if (kind !== 'auto') return kind === 'host' ? { kind, chosen: true } : { kind: 'nomap' };
  const { uidmapping = [], gidmapping = [] } = lines;
  return { kind, ...given, ...(uidmapping.length > 0 ? { uidmapping } : {}), ...(gidmapping.length > 0 ? { gidmapping } : {}) };
}

/** `[+ug]CONTAINER:[@]FROM[:SIZE]`. */
export function parseIdLine(text: string): MapLine {
  const [, flags = '', container, at, from, amount = '1'] = /^([+ug]*)(\d{1,10}):(@?)(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? [];
  const [inside, outside, size] = [Number(container), Number(from), Number(amount)];
  const right = container !== undefined && size > 0 && inside + size <= noId && outside + size <= noId;
  const twice = new Set(flags).size !== flags.length || (flags.includes('u') && flags.includes('g'));
  if (!right || twice)
    throw new BadValue(`invalid mapping: "${text}"`, { fix: '[+][u|g]CONTAINER:[@]FROM[:SIZE], as in 0:0:1 or +33:@1000' });
  return {
    container: inside,
    from: outside,
    size,
    ...(at ? { host: true } : {}),
    ...(flags.includes('+') ? { extend: true } : {}),
    ...(flags.includes('u') ? { only: 'uid' } : flags.includes('g') ? { only: 'gid' } : {}),
  };
}
