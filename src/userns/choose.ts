/** Chooses how ids are mapped: subordinate ranges, else directly with CAP_SETUID, else one single id. */

import { RootlessError } from '../errors.ts';
import type { IdMap, IdMapping } from '../helper.ts';
import type { Host } from './host.ts';
import { findSlot, layOut, type Pin } from './idmap.ts';
import { findObstacle } from './obstacles.ts';
import { count, disjoint, type IdRange, intersect } from './ranges.ts';
import type { Subids } from './subid.ts';

export type UsernsRequest =
  /** Container root is this user; everything else comes from the ranges. Unless it was `chosen`, a better fit may be found. */
  | { readonly kind: 'host'; readonly chosen?: true | undefined }
  /** This user keeps its ids, or appears as the given ones. */
  | { readonly kind: 'keep-id'; readonly uid?: number | undefined; readonly gid?: number | undefined }
  /** This user is not mapped at all. */
  | { readonly kind: 'nomap' }
  /** A slot of the ranges that no other container uses. */
  | { readonly kind: 'auto'; readonly size?: number | undefined };

/** What was decided: how ids are mapped, and whether ownership has to be emulated. */
export type Mapping = {
  readonly idMap: IdMap;
  /** `ranges`: subordinate ids; `direct`: written with CAP_SETUID; `single`: one id, ownership emulated. */
  readonly mode: 'ranges' | 'direct' | 'single';
  /** Line by line what the user asked for: nothing of it is arranged anew. */
  readonly fixed?: true | undefined;
  /** One line for the user where isolation or function differs from the full mode. */
  readonly notice?: string | undefined;
};

/** Host ids held by running `auto` containers. */
export type SlotsInUse = { readonly uid: readonly IdRange[]; readonly gid: readonly IdRange[] };

/** `auto` without a size: what distributions give to system and first users, plus `nobody`. */
const autoSize = 1024;

/**
 * @throws RootlessError SUBID_MISSING, NEWUIDMAP_MISSING, NEWUIDMAP_NOT_SETUID or USERNS_FULL when a mapping was
 * asked for by name that this host cannot give. The default never throws: it ends at one single id.
 */
export function chooseMapping(request: UsernsRequest, host: Host, inUse: SlotsInUse = { uid: [], gid: [] }): Mapping {
  const ranges = usableRanges(host);
  const obstacle = findObstacle(host, ranges);
  if (obstacle === undefined) {
    const programs = host.canMap ? {} : { newuidmap: host.mappers.uid?.path, newgidmap: host.mappers.gid?.path };
    return { mode: 'ranges', idMap: { ...place(request, host, ranges, inUse), ...programs } };
  }
  if (host.canMap)
    return { mode: 'direct', idMap: place(request, host, request.kind === 'auto' ? foreignSupply(host) : directSupply(host), inUse) };
  if (request.kind !== 'host')
    throw new RootlessError({ ...obstacle, message: `cannot use --userns ${request.kind}: ${obstacle.message}` });
  return { mode: 'single', idMap: singleMap(host, 0, 0), notice: `one user id only: ${obstacle.message}` };
}

/** In single mode the one id may stand for the user that the program runs as; other modes are left alone. */
export function mapWantedUser(mapping: Mapping, host: Host, user: string | undefined): Mapping {
  const match = /^(\d+)(?::(\d+))?$/.exec(user ?? '');
  if (mapping.mode !== 'single' || !match) return mapping;
  return { ...mapping, idMap: singleMap(host, Number(match[1]), Number(match[2] ?? 0)) };
}

function place(request: UsernsRequest, host: Host, supply: Subids, inUse: SlotsInUse): IdMap {
  switch (request.kind) {
    case 'host':
      return lay({ uid: 0, gid: 0 }, host, supply);
    case 'keep-id':
      return lay({ uid: request.uid ?? host.uid, gid: request.gid ?? host.gid }, host, supply);
    case 'nomap':
      return { uid: layOut(undefined, supply.uid), gid: layOut(undefined, supply.gid) };
    case 'auto': {
      const size = request.size ?? autoSize;
      return { uid: slot(supply.uid, inUse.uid, size, 'user'), gid: slot(supply.gid, inUse.gid, size, 'group') };
    }
  }
}

function lay(self: { uid: number; gid: number }, host: Host, supply: Subids): IdMap {
  const pin = (container: number, id: number): Pin => ({ container, host: id });
  return { uid: layOut(pin(self.uid, host.uid), supply.uid), gid: layOut(pin(self.gid, host.gid), supply.gid) };
}

function slot(ranges: readonly IdRange[], inUse: readonly IdRange[], size: number, what: string): IdMapping[] {
  const free = findSlot(ranges, inUse, size);
  if (free) return layOut(undefined, [free]);
  throw new RootlessError({
    code: 'USERNS_FULL',
    message: `cannot use --userns auto: no free run of ${size} subordinate ${what} ids`,
    why: `your ranges hold ${count(ranges)} ids, and ${count(intersect(ranges, inUse))} are used by running containers`,
    fix: 'ask for fewer with --userns auto:size=N, or stop another container',
  });
}

function singleMap(host: Host, uid: number, gid: number): IdMap {
  return {
    uid: [{ containerID: uid, hostID: host.uid, size: 1 }],
    gid: [{ containerID: gid, hostID: host.gid, size: 1 }],
  };
}

/** Inside another user namespace only ids that exist there can be mapped on. */
function usableRanges(host: Host): Subids {
  return { uid: intersect(host.subids.uid, host.outer.uid), gid: intersect(host.subids.gid, host.outer.gid) };
}

/** Everything that exists here, own ids first so that root maps onto root and the map is the identity. */
function directSupply(host: Host): Subids {
  const all = (outer: readonly IdRange[], own: number) => {
    const usable = own === 0 ? outer : outer.map((range) => (range.start === 0 ? { start: 1, size: range.size - 1 } : range));
    return disjoint(usable.filter((range) => range.size > 0));
  };
  return { uid: all(host.outer.uid, host.uid), gid: all(host.outer.gid, host.gid) };
}

/** Where systemd takes ids for containers (its document UIDS-GIDS): no account of the host is among them. */
const containerIds: readonly IdRange[] = [{ start: 524_288, size: 1_878_523_904 }];

/** For `auto`, whose point is that an id of the container is nobody's on the host; a small outer map may have no such ids. */
function foreignSupply(host: Host): Subids {
  const some = (outer: readonly IdRange[], own: number) => {
    const reserved = intersect(outer, containerIds);
    if (count(reserved) > 0) return reserved;
    return disjoint(outer.flatMap(({ start, size }) => without(start, size, own)));
  };
  return { uid: some(host.outer.uid, host.uid), gid: some(host.outer.gid, host.gid) };
}

/** A range in two pieces around one id that it may hold. */
function without(start: number, size: number, id: number): IdRange[] {
  if (id < start || id >= start + size) return [{ start, size }];
  const pieces = [
    { start, size: id - start },
    { start: id + 1, size: start + size - id - 1 },
  ];
  return pieces.filter((piece) => piece.size > 0);
}
