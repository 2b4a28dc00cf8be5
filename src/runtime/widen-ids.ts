/** A mapping for an image whose files, or whose user, have ids beyond it: the same ids of the host, arranged in another way. */

import { RootlessError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import { layersFolder, type Owners, otherFolders, readStamp } from '../image/layers.ts';
import { knownOwners, mergeOwners, stampedOwners } from '../image/owners.ts';
import type { Paths } from '../paths.ts';
import type { Host } from '../userns/host.ts';
import type { IdRange } from '../userns/ranges.ts';
import { isMap, type Short, widen } from '../userns/widen.ts';
import type { Mapping } from './options.ts';

/** In nearly every image's passwd: it stays wherever there is room. */
const nobody = 65534;

/** @returns the mapping itself where it has them all. @throws RootlessError IDS_TOO_FEW */
export function widenMapping(mapping: Mapping, host: Host, owners: Owners): Mapping {
  if (mapping.mode === 'single' || mapping.fixed) return mapping;
  const [uid, gid] = [widened(mapping, 'uid', owners, host.uid), widened(mapping, 'gid', owners, host.gid)];
  if (uid === mapping.idMap.uid && gid === mapping.idMap.gid) return mapping;
  return { ...mapping, idMap: { ...mapping.idMap, uid, gid } };
}

/** The same with more ids, for an image whose layers are known. */
export function withIds(
  paths: Paths,
  mapping: Mapping,
  host: Host,
  diffIds: readonly Digest[],
  { uids, gids }: { readonly uids: readonly number[]; readonly gids: readonly number[] },
): Mapping {
  const single = (ids: readonly number[]) => ids.map((id): [number, number] => [id, 1]);
  const known = knownOwners(paths, diffIds) ?? stampedOwnersOf(paths, mapping, diffIds);
  return widenMapping(mapping, host, mergeOwners([known, { uid: single(uids), gid: single(gids) }]));
}

function stampedOwnersOf(paths: Paths, mapping: Mapping, diffIds: readonly Digest[]): Owners {
  const folders = [layersFolder(paths, mapping), ...otherFolders(paths, mapping)];
  const stamps = diffIds.flatMap((diffId) => folders.flatMap((folder) => readStamp(folder, diffId) ?? []));
  return mergeOwners(stamps.map(stampedOwners));
}

function widened({ idMap }: Mapping, kind: 'uid' | 'gid', owners: Owners, own: number): Mapping['idMap']['uid'] {
  const needs = owners[kind].map(([start, size]): IdRange => ({ start, size }));
  const found = [...needs, { start: nobody, size: 1 }];
  const map = widen(idMap[kind], needs, own);
  if (map === idMap[kind]) return idMap[kind];
  const better = widen(idMap[kind], found, own);
  if (isMap(better)) return better;
  if (isMap(map)) return map;
  throw tooFew(map, kind === 'uid' ? 'user' : 'group');
}

function tooFew(short: Short, what: 'user' | 'group'): RootlessError {
  const [message, why] =
    short.kind === 'ids'
      ? [
          `the image needs ${short.wanted} different ${what} ids, and there are ${short.there}`,
          `its files belong to more ${what}s than your ranges have ids`,
        ]
      : [
          `the ${what} ids of the image lie in ${short.wanted} separate runs, more than a map can have`,
          'the kernel takes 340 lines, and 4095 characters',
        ];
  return new RootlessError({
    code: 'IDS_TOO_FEW',
    message: `cannot map the image's owners: ${message}`,
    why,
    fix: `a larger range in /etc/sub${what === 'user' ? 'u' : 'g'}id: sudo usermod --add-sub${what === 'user' ? 'u' : 'g'}ids FIRST-LAST $USER`,
  });
}
