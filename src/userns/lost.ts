/** Ids that files were given, and that are not this user's any more since /etc/subuid has changed. Pure. */

import { RootlessError } from '../errors.ts';
import type { IdMap } from '../helper.ts';
import type { Host } from './host.ts';
import { type IdRange, subtract } from './ranges.ts';

export type Lost = { readonly uid: readonly IdRange[]; readonly gid: readonly IdRange[] };

/** Host ids of a map that newuidmap would refuse; undefined if there are none. */
export function lostIds({ uid, gid }: Pick<IdMap, 'uid' | 'gid'>, host: Host): Lost | undefined {
  if (host.canMap) return undefined;
  const hosts = (lines: IdMap['uid']) => lines.map(({ hostID, size }) => ({ start: hostID, size }));
  const lost = {
    uid: subtract(hosts(uid), [...host.subids.uid, { start: host.uid, size: 1 }]),
    gid: subtract(hosts(gid), [...host.subids.gid, { start: host.gid, size: 1 }]),
  };
  return lost.uid.length + lost.gid.length > 0 ? lost : undefined;
}

export function idsChanged(what: string, lost: Lost, host: Host): RootlessError {
  const flags = [...options('uids', lost.uid), ...options('gids', lost.gid)];
  const usermod = (verb: string) => `sudo usermod ${flags.map(([kind, range]) => `--${verb}-sub${kind} ${range}`).join(' ')} ${host.name}`;
  const leave = [...new Set(flags.map(([, range]) => `--leave ${range}`))].join(' ');
  return new RootlessError({
    code: 'SUBID_CHANGED',
    message: `${what} was made with ids that are not yours any more: ${[...new Set(flags.map(([, range]) => range))].join(', ')}`,
    why: `the ranges of "${host.name}" in /etc/subuid and /etc/subgid have changed, and its files still have the old owners`,
    fix: `${usermod('add')} && rootless system migrate ${leave} && ${usermod('del')}`,
  });
}

function options(kind: 'uids' | 'gids', ranges: readonly IdRange[]): ['uids' | 'gids', string][] {
  return ranges.map(({ start, size }) => [kind, `${start}-${start + size - 1}`]);
}
