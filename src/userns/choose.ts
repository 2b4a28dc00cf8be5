/** Chooses how ids are mapped: subordinate ranges, else directly with CAP_SETUID, else one single id. */

import { RootlessError } from '../errors.ts';
import type { IdMap, IdMapping } from '../helper.ts';
import type { Host } from './host.ts';
import { findSlot, layAround, layOut, type Pin } from './idmap.ts';
import { bothKinds, checkWhole, type MapLine, mapLines, ownIds } from './lines.ts';
import { findObstacle } from './obstacles.ts';
import { count, disjoint, type IdRange, intersect, subtract } from './ranges.ts';
import type { Subids } from './subid.ts';

export type UsernsRequest =
  /** Container root is this user; everything else comes from the ranges. Unless it was `chosen`, a better fit may be found. */
  | { readonly kind: 'host'; readonly chosen?: true | undefined }
  /** This user keeps its ids, or appears as the given ones; `size` ids in all. */
  | { readonly kind: 'keep-id'; readonly uid?: number | undefined; readonly gid?: number | undefined; readonly size?: number | undefined }
  /** This user is not mapped at all. */
  | { readonly kind: 'nomap' }
  /** A slot of the ranges that no other container uses, around the lines that were asked for. */
  | {
      readonly kind: 'auto';
      readonly size?: number | undefined;
      readonly uidmapping?: readonly MapLine[] | undefined;
      readonly gidmapping?: readonly MapLine[] | undefined;
    }
  /** As `--uidmap` and `--gidmap` say it. */
  | { readonly kind: 'map'; readonly uid: readonly MapLine[]; readonly gid: readonly MapLine[] }
  /** The ranges of names in /etc/subuid and /etc/subgid; `ranges` is what these say. */
  | { readonly kind: 'named'; readonly uid: string; readonly gid: string; readonly ranges?: Subids | undefined };

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
  const fixed = request.kind === 'map' ? { fixed: true as const } : {};
  if (request.kind === 'map' && isOwnOnly(request, host)) return { mode: 'single', idMap: onlyOwn(request, host), ...fixed };
  if (obstacle === undefined) {
    const programs = host.canMap ? {} : { newuidmap: host.mappers.uid?.path, newgidmap: host.mappers.gid?.path };
    return { mode: 'ranges', idMap: { ...place(request, host, ranges, inUse), ...programs }, ...fixed };
  }
  if (host.canMap) {
    const supply = request.kind === 'auto' ? foreignSupply(host) : directSupply(host);
    return { mode: 'direct', idMap: place(request, host, supply, inUse), ...fixed };
  }
  if (request.kind !== 'host') throw new RootlessError({ ...obstacle, message: `cannot use ${nameOf(request)}: ${obstacle.message}` });
  return { mode: 'single', idMap: singleMap(host, 0, 0), notice: `one user id only: ${obstacle.message}` };
}

/** In single mode the one id may stand for the user that the program runs as; other modes are left alone. */
export function mapWantedUser(mapping: Mapping, host: Host, user: string | undefined): Mapping {
  const match = /^(\d+)(?::(\d+))?$/.exec(user ?? '');
  if (mapping.mode !== 'single' || mapping.fixed || !match) return mapping;
  return { ...mapping, idMap: singleMap(host, Number(match[1]), Number(match[2] ?? 0)) };
}

function place(request: UsernsRequest, host: Host, supply: Subids, inUse: SlotsInUse): IdMap {
  switch (request.kind) {
    case 'host':
      return lay({ uid: 0, gid: 0 }, host, supply);
    case 'keep-id':
      return lay({ uid: request.uid ?? host.uid, gid: request.gid ?? host.gid }, host, capped(supply, request.size));
    case 'nomap':
      return { uid: layOut(undefined, supply.uid), gid: layOut(undefined, supply.gid) };
    case 'auto': {
      const size = request.size ?? autoSize;
      const there = idsThere(host, supply);
      const { uid, gid } = bothKinds({ uid: request.uidmapping ?? [], gid: request.gidmapping ?? [] }, there);
      const map = {
        uid: slot(supply.uid, inUse.uid, size, 'user', mapLines(uid, uid.length > 0 ? there.uid : [], 'user')),
        gid: slot(supply.gid, inUse.gid, size, 'group', mapLines(gid, gid.length > 0 ? there.gid : [], 'group')),
      };
      checkWhole(map, host);
      return map;
    }
    case 'map': {
      const there = idsThere(host, supply);
      const { uid, gid } = bothKinds(request, there);
      const map = { uid: mapLines(uid, there.uid, 'user'), gid: mapLines(gid, there.gid, 'group') };
      checkWhole(map, host);
      return map;
    }
    case 'named':
      return named(request, host, supply);
  }
}

/** What `FROM` of a line counts: for whoever may map everything, the ids as they are. */
function idsThere(host: Host, supply: Subids): { uid: IdMapping[]; gid: IdMapping[] } {
  const identity = (ranges: readonly IdRange[]) => ranges.map(({ start, size }) => ({ containerID: start, hostID: start, size }));
  if (host.canMap) return { uid: identity(host.outer.uid), gid: identity(host.outer.gid) };
  return { uid: ownIds(host.uid, supply.uid), gid: ownIds(host.gid, supply.gid) };
}

/** One id, which is the caller: no range is needed, and owners are emulated. */
function isOwnOnly(request: UsernsRequest & { readonly kind: 'map' }, host: Host): boolean {
  const own = { uid: ownIds(host.uid, []), gid: ownIds(host.gid, []) };
  const lines = bothKinds(request, own);
  const isOwn = (line: MapLine | undefined, id: number) => line?.size === 1 && !line.extend && line.from === (line.host ? id : 0);
  return (['uid', 'gid'] as const).every((kind) => lines[kind].length === 1 && isOwn(lines[kind][0], host[kind]));
}

function onlyOwn(request: UsernsRequest & { readonly kind: 'map' }, host: Host): IdMap {
  const own = { uid: ownIds(host.uid, []), gid: ownIds(host.gid, []) };
  const { uid, gid } = bothKinds(request, own);
  return { uid: mapLines(uid, own.uid, 'user'), gid: mapLines(gid, own.gid, 'group') };
}

function nameOf({ kind }: UsernsRequest): string {
  if (kind === 'map') return '--uidmap or --gidmap';
  return kind === 'named' ? '--subuidname or --subgidname' : `--userns ${kind}`;
}

/** @throws RootlessError SUBID_MISSING, SUBID_FOREIGN */
function named({ uid, gid, ranges }: UsernsRequest & { readonly kind: 'named' }, host: Host, supply: Subids): IdMap {
  const of = (kind: 'uid' | 'gid', name: string) => {
    const wanted = ranges?.[kind] ?? [];
    if (wanted.length === 0) throw new RootlessError(missingName(kind, name));
    if (!host.canMap && count(intersect(wanted, supply[kind])) < count(wanted)) throw new RootlessError(foreignName(kind, name, host));
    return layOut(undefined, wanted);
  };
  return { uid: of('uid', uid), gid: of('gid', gid) };
}

function missingName(kind: 'uid' | 'gid', name: string) {
  return {
    code: 'SUBID_MISSING',
    message: `no range for "${name}" in /etc/sub${kind}`,
    why: `--sub${kind}name names an entry of that file`,
  };
}

function foreignName(kind: 'uid' | 'gid', name: string, host: Host) {
  const message = `the ranges of "${name}" in /etc/sub${kind} are not yours`;
  const why = `new${kind}map gives "${host.name}" only those that are listed for "${host.name}"`;
  return { code: 'SUBID_FOREIGN', message, why, fix: `--sub${kind}name ${host.name}` };
}

/** So many ids in all, the own one included. */
function capped(supply: Subids, size: number | undefined): Subids {
  const first = (ranges: readonly IdRange[]) => {
    let left = (size ?? 0) - 1;
    return ranges.flatMap(({ start, size: there }) => {
      const take = Math.min(there, Math.max(left, 0));
      left -= take;
      return take > 0 ? [{ start, size: take }] : [];
    });
  };
  return size === undefined ? supply : { uid: first(supply.uid), gid: first(supply.gid) };
}

function lay(self: { uid: number; gid: number }, host: Host, supply: Subids): IdMap {
  const pin = (container: number, id: number): Pin => ({ container, host: id });
  return { uid: layOut(pin(self.uid, host.uid), supply.uid), gid: layOut(pin(self.gid, host.gid), supply.gid) };
}

function slot(ranges: readonly IdRange[], inUse: readonly IdRange[], size: number, what: string, lines: readonly IdMapping[]): IdMapping[] {
  const taken = lines.map((line) => ({ start: line.hostID, size: line.size }));
  const wanted = size - count(taken);
  const free = wanted > 0 ? findSlot(subtract(ranges, taken), inUse, wanted) : { start: 0, size: 0 };
  if (free) return lines.length === 0 ? layOut(undefined, [free]) : layAround(lines, free);
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
