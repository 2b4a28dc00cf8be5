/** Maps that are asked for line by line (`--uidmap`), by podman's rules: from a container's ids to those that this user has. Pure. */

import { RootlessError } from '../errors.ts';
import type { IdMapping } from '../helper.ts';
import { coalesce, maxExtents } from './idmap.ts';
import { disjoint, type IdRange, subtract } from './ranges.ts';

export type MapLine = {
  readonly container: number;
  /** Of the ids that this user has: 0 is the user, 1 the first subordinate one, and so on. */
  readonly from: number;
  /** `@`: `from` is an id of the host. */
  readonly host?: true | undefined;
  readonly size: number;
  /** `+`: in addition to the map so far, of which it takes what it needs. */
  readonly extend?: true | undefined;
  /** `u`, `g`: not for the other kind. */
  readonly only?: 'uid' | 'gid' | undefined;
};

type Both<T> = { readonly uid: readonly T[]; readonly gid: readonly T[] };

/** The lines that make each of the two maps: where only one kind was asked for, the other follows it. Empty: the usual map. */
export function bothKinds(asked: Both<MapLine>, there: Both<IdMapping>): Both<MapLine> {
  const of = (kind: 'uid' | 'gid', other: 'uid' | 'gid') => {
    const own = asked[kind].filter(({ only }) => only === undefined || only === kind);
    const sent = asked[other].filter(({ only }) => only === kind);
    if (own.length > 0) return [...own, ...sent];
    return asked[other].filter(({ only }) => only === undefined || only === kind).map((line) => counted(line, there[other]));
  };
  return { uid: of('uid', 'gid'), gid: of('gid', 'uid') };
}

/** A host's id as the place that it has among the user's: a group has another number there, and the same place. */
function counted(line: MapLine, there: readonly IdMapping[]): MapLine {
  const piece = line.host && there.find(({ hostID, size }) => line.from >= hostID && line.from < hostID + size);
  return piece ? { ...line, host: undefined, from: piece.containerID + line.from - piece.hostID } : line;
}

/** The ids that this user has, as podman counts them: itself, then its ranges. */
export function ownIds(own: number, ranges: readonly IdRange[]): IdMapping[] {
  const map: IdMapping[] = [{ containerID: 0, hostID: own, size: 1 }];
  let next = 1;
  for (const { start, size } of subtract(disjoint(ranges), [{ start: own, size: 1 }])) {
    map.push({ containerID: next, hostID: start, size });
    next += size;
  }
  return map;
}

/**
 * @param there  the ids that this user has
 * @throws RootlessError IDMAP_INVALID
 */
export function mapLines(lines: readonly MapLine[], there: readonly IdMapping[], what: 'user' | 'group'): IdMapping[] {
  let map: IdMapping[] = lines.every(({ extend }) => extend) ? [...there] : [];
  for (const line of lines) {
    const found = hostsOf(line, there, what);
    const before = map;
    if (line.extend) map = without(map, found);
    const clash = map.find((one) => found.some((other) => overlaps(one, other, 'containerID') || overlaps(one, other, 'hostID')));
    if (clash) throw invalid(line, what, `it overlaps ${clash.containerID} to ${clash.containerID + clash.size - 1} of another one`);
    map.push(...found);
    if (line.extend) map.push(...swapped(before, found));
  }
  const whole = coalesce(map);
  if (whole.length <= maxExtents) return whole;
  throw new RootlessError({
    code: 'IDMAP_INVALID',
    message: `the map of ${what} ids has ${whole.length} lines`,
    why: `the kernel takes ${maxExtents}`,
  });
}

function hostsOf(line: MapLine, there: readonly IdMapping[], what: 'user' | 'group'): IdMapping[] {
  const side = line.host ? 'hostID' : 'containerID';
  const found: IdMapping[] = [];
  for (let done = 0; done < line.size; ) {
    const at = line.from + done;
    const piece = there.find((one) => at >= one[side] && at < one[side] + one.size);
    if (piece === undefined) throw invalid(line, what, `${line.host ? `host ${what} id` : `id`} ${at} is none of yours`);
    const size = Math.min(line.size - done, piece[side] + piece.size - at);
    found.push({ containerID: line.container + done, hostID: piece.hostID + at - piece[side], size });
    done += size;
  }
  return found;
}

function without(map: readonly IdMapping[], taken: readonly IdMapping[]): IdMapping[] {
  return map.flatMap((line) => {
    const cuts = taken.flatMap(({ containerID, hostID, size }) => [
      { start: containerID, size },
      { start: hostID - line.hostID + line.containerID, size },
    ]);
    return subtract([{ start: line.containerID, size: line.size }], cuts).map((part) => ({
      containerID: part.start,
      hostID: line.hostID + part.start - line.containerID,
      size: part.size,
    }));
  });
}

/** Who had to leave an id of the container gets one of those that were left for it: nobody is lost. */
function swapped(before: readonly IdMapping[], taken: readonly IdMapping[]): IdMapping[] {
  const inside = taken.map(({ containerID, size }) => ({ start: containerID, size }));
  const outside = taken.map(({ hostID, size }) => ({ start: hostID, size }));
  const rest = (side: 'containerID' | 'hostID', lost: readonly IdRange[], kept: readonly IdRange[]) =>
    subtract(
      before.flatMap((line) => {
        const other = side === 'containerID' ? 'hostID' : 'containerID';
        const range = { start: line[other], size: line.size };
        return subtract([range], subtract([range], lost)).map((part) => ({
          start: line[side] + part.start - line[other],
          size: part.size,
        }));
      }),
      kept,
    );
  const places = rest('containerID', outside, inside);
  const hosts = rest('hostID', inside, outside);
  const pairs: IdMapping[] = [];
  for (let [place, host] = [places.shift(), hosts.shift()]; place && host; ) {
    const size = Math.min(place.size, host.size);
    pairs.push({ containerID: place.start, hostID: host.start, size });
    place = place.size > size ? { start: place.start + size, size: place.size - size } : places.shift();
    host = host.size > size ? { start: host.start + size, size: host.size - size } : hosts.shift();
  }
  return pairs;
}

/** Both maps have the caller or none has, and root: files of a user with one of two ids mapped cannot be reached by anybody. */
export function checkWhole(
  map: { readonly uid: readonly IdMapping[]; readonly gid: readonly IdMapping[] },
  own: { uid: number; gid: number },
): void {
  const has = (lines: readonly IdMapping[], id: number) => lines.some(({ hostID, size }) => id >= hostID && id < hostID + size);
  if (has(map.uid, own.uid) !== has(map.gid, own.gid)) {
    throw new RootlessError({
      code: 'IDMAP_INVALID',
      message: `cannot map your ${has(map.uid, own.uid) ? 'user' : 'group'} id without your ${has(map.uid, own.uid) ? 'group' : 'user'} id`,
      why: 'what belongs to you could then not be reached by the root of the container, nor by anybody in it',
      fix: 'map both, or neither',
    });
  }
  for (const kind of ['uid', 'gid'] as const) {
    if (map[kind].some(({ containerID }) => containerID === 0)) continue;
    throw new RootlessError({
      code: 'IDMAP_INVALID',
      message: `the map has no ${kind} 0`,
      why: 'most files of an image belong to root, and the first process of a container is root',
      fix: `--${kind}map 0:1:1 gives it your first subordinate id`,
    });
  }
}

function overlaps(one: IdMapping, other: IdMapping, side: 'containerID' | 'hostID'): boolean {
  return one[side] < other[side] + other.size && other[side] < one[side] + one.size;
}

function invalid({ container, from, host, size }: MapLine, what: 'user' | 'group', why: string): RootlessError {
  return new RootlessError({
    code: 'IDMAP_INVALID',
    message: `cannot map ${what} ids "${container}:${host ? '@' : ''}${from}:${size}"`,
    why,
    fix: 'CONTAINER:FROM:SIZE, where FROM 0 is you, 1 your first subordinate id, and @ID an id of the host; "rootless info" shows yours',
  });
}
