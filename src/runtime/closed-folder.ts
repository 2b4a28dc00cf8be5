/** Why a path is closed to the root of a container: a folder above it whose owner is not mapped, and that others may not enter. */

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { IdMapping } from '../helper.ts';

/** The uppermost such folder; capabilities count only where owner and group are both mapped (user_namespaces(7)). */
export function closedFolder(path: string, uids: readonly IdMapping[], gids: readonly IdMapping[]): string | undefined {
  const above: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    above.unshift(at);
    if (at === dirname(at)) break;
  }
  return above.find((folder) => {
    const stat = statSync(folder, { throwIfNoEntry: false });
    return stat !== undefined && (stat.mode & 0o001) === 0 && !(holds(uids, stat.uid) && holds(gids, stat.gid));
  });
}

function holds(map: readonly IdMapping[], id: number): boolean {
  return map.some(({ hostID, size }) => id >= hostID && id < hostID + size);
}
