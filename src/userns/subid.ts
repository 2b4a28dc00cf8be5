/** Subordinate ids of a user: /etc/subuid and /etc/subgid (subuid(5)), or getsubids where nsswitch.conf names another source. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { disjoint, type IdRange, idLimit } from './ranges.ts';

export type SubidOwner = { readonly uid: number; readonly name: string };
export type Subids = { readonly uid: readonly IdRange[]; readonly gid: readonly IdRange[] };

/** Reads both tables. A missing or unreadable file is an empty one: newuidmap sees it the same way. */
export function readSubids(owner: SubidOwner, etc = '/etc'): Subids {
  const source = subidSource(readText(`${etc}/nsswitch.conf`));
  if (source !== undefined && source !== 'files') {
    const uid = askGetsubids(owner, []);
    const gid = askGetsubids(owner, ['-g']);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  return {
    uid: parseSubids(readText(`${etc}/subuid`), owner),
    gid: parseSubids(readText(`${etc}/subgid`), owner),
  };
}

/** `NAME-or-UID:START:COUNT` lines of one owner, in the file's order, without overlaps; other lines are skipped. */
export function parseSubids(text: string, owner: SubidOwner): IdRange[] {
  const ranges = text.split('\n').flatMap((line) => {
    const fields = line.split(':');
    const [who = '', start = '', size = ''] = fields;
    const mine = who === owner.name || who === String(owner.uid);
    return mine && fields.length === 3 ? parseRange(start, size) : [];
  });
  return disjoint(ranges);
}

/** Every line of the table, whoever it belongs to: as written, overlaps and all. */
export function parseSubidLines(text: string): (IdRange & { readonly owner: string })[] {
  return text.split('\n').flatMap((line) => {
    const [owner = '', start = '', size = '', ...more] = line.split(':');
    return owner === '' || more.length > 0 ? [] : parseRange(start, size).map((range) => ({ owner, ...range }));
  });
}

/** `0: ana 100000 65536` lines, as getsubids(1) prints them. */
export function parseGetsubids(text: string): IdRange[] {
  const ranges = text.split('\n').flatMap((line) => {
    const match = /^\d+: \S+ (\d+) (\d+)$/.exec(line.trim());
    return match ? parseRange(match[1] ?? '', match[2] ?? '') : [];
  });
  return disjoint(ranges);
}

/** The first source of nsswitch.conf's `subid:` line. shadow allows exactly one. */
export function subidSource(nsswitch: string): string | undefined {
  return /^\s*subid:\s*(\w+)/m.exec(nsswitch)?.[1];
}

function parseRange(start: string, size: string): IdRange[] {
  if (!/^\d+$/.test(start) || !/^\d+$/.test(size.trim())) return [];
  const first = Number(start);
  const length = Math.min(Number(size), idLimit - first);
  return length > 0 ? [{ start: first, size: length }] : [];
}

function askGetsubids(owner: SubidOwner, flags: readonly string[]): IdRange[] | undefined {
  const run = spawnSync('getsubids', [...flags, owner.name], { encoding: 'utf8', timeout: 10_000 });
  return run.status === 0 ? parseGetsubids(run.stdout) : undefined;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
