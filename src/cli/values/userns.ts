/** `--userns host|keep-id[:uid=N,gid=N]|nomap|auto[:size=N]`. */

import type { UsernsRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';

const allowed: Record<string, readonly string[]> = Object.assign(Object.create(null), {
  host: [],
  nomap: [],
  'keep-id': ['uid', 'gid'],
  auto: ['size'],
});

export function parseUserns(text: string): UsernsRequest {
  const colon = text.indexOf(':');
  const kind = colon === -1 ? text : text.slice(0, colon);
  const keys = allowed[kind];
  if (keys === undefined) throw new BadValue(`invalid USER mode: "${text}"`, { fix: 'modes are host, keep-id, nomap and auto' });
  const values: Record<string, number> = Object.create(null);
  for (const pair of colon === -1 ? [] : text.slice(colon + 1).split(',')) {
    const found = /^(\w+)=(\d{1,10})$/.exec(pair);
    const key = found?.[1] ?? '';
    const value = Number(found?.[2]);
    // 2^32-1 means "no id" in every system call that takes one.
    if (!keys.includes(key) || value >= 0xffff_ffff) throw new BadValue(`invalid option "${pair}" of ${kind}`);
    values[key] = value;
  }
  const { uid, gid, size } = values;
  if (kind === 'keep-id') return { kind, ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
  if (kind === 'auto') return { kind, ...(size === undefined ? {} : { size }) };
  return kind === 'host' ? { kind, chosen: true } : { kind: 'nomap' };
}
