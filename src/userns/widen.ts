/** Arranges the ids of a map so that others exist in the container: the low ones stay, the highest give way. Pure. */

import type { IdMapping } from '../helper.ts';
import { coalesce, maxExtents } from './idmap.ts';
import { count, type IdRange, subtract } from './ranges.ts';

/** The kernel takes a map in one write of less than a page, whatever the size of its pages (kernel/user_namespace.c, map_write). */
const mostBytes = 4096;

export type Short =
  | { readonly kind: 'ids'; readonly wanted: number; readonly there: number }
  | { readonly kind: 'lines'; readonly wanted: number };

/**
 * @param needs  ids of the container that must exist, in any order
 * @param own    the host id that must stay where it is
 * @returns `map` itself where nothing is missing; why there is none
 */
export function widen(map: readonly IdMapping[], needs: readonly IdRange[], own: number): readonly IdMapping[] | Short {
  const there = map.map(({ containerID, size }) => ({ start: containerID, size }));
  const sorted = merged(needs);
  if (count(subtract(sorted, there)) === 0) return map;
  const most = gapsOf(sorted).length;
  const tried = (gaps: number) => arrange(map, there, closeGaps(sorted, gaps), own);
  const first = tried(0);
  if (!isMap(first) || takes(first)) return first;
  // Ids between those that are needed are mapped along: fewer and longer lines.
  let [low, high] = [0, most];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const found = tried(middle);
    if (isMap(found) && !takes(found)) low = middle;
    else high = middle;
  }
  const best = tried(high);
  return isMap(best) && takes(best) ? best : { kind: 'lines', wanted: sorted.length };
}

export function isMap(found: readonly IdMapping[] | Short): found is readonly IdMapping[] {
  return !('kind' in found);
}

function arrange(map: readonly IdMapping[], there: readonly IdRange[], needs: readonly IdRange[], own: number): IdMapping[] | Short {
  const missing = subtract(needs, there);
  const wanted = count(missing);
  const pinned = map.filter(({ hostID, size }) => own >= hostID && own < hostID + size).map((line) => line.containerID + own - line.hostID);
  const kept = [...needs, ...[0, ...pinned].map((start) => ({ start, size: 1 }))];
  const spare = merged(subtract(there, kept));
  if (count(spare) < wanted) return { kind: 'ids', wanted: count(needs), there: count(there) };
  const given = highest(spare, wanted);
  const free = map.flatMap((line) => cutOut(line, given, true));
  return coalesce([...map.flatMap((line) => cutOut(line, given, false)), ...pair(missing, coalesce(free))]);
}

/** What of a line is in the ranges, or what is not. */
function cutOut({ containerID, hostID, size }: IdMapping, ranges: readonly IdRange[], inside: boolean): IdMapping[] {
  const line = { start: containerID, size };
  const outside = subtract([line], ranges);
  return (inside ? subtract([line], outside) : outside).map((part) => ({
    containerID: part.start,
    hostID: hostID + part.start - containerID,
    size: part.size,
  }));
}

/** Ids of the container in order on ids of the host in order. */
function pair(missing: readonly IdRange[], free: readonly IdMapping[]): IdMapping[] {
  const lines: IdMapping[] = [];
  const hosts = free.map(({ hostID, size }) => ({ start: hostID, size }));
  for (let { start, size } of missing) {
    while (size > 0) {
      const host = hosts[0];
      if (host === undefined) return lines;
      const take = Math.min(size, host.size);
      lines.push({ containerID: start, hostID: host.start, size: take });
      [start, size] = [start + take, size - take];
      if (take === host.size) hosts.shift();
      else hosts[0] = { start: host.start + take, size: host.size - take };
    }
  }
  return lines;
}

function highest(ranges: readonly IdRange[], wanted: number): IdRange[] {
  const taken: IdRange[] = [];
  let left = wanted;
  for (const { start, size } of ranges.toReversed()) {
    const take = Math.min(size, left);
    if (take > 0) taken.push({ start: start + size - take, size: take });
    left -= take;
  }
  return taken;
}

function gapsOf(sorted: readonly IdRange[]): number[] {
  return sorted.slice(1).map((range, at) => range.start - ((sorted[at]?.start ?? 0) + (sorted[at]?.size ?? 0)));
}

/** The `most` smallest gaps belong to the ranges. */
function closeGaps(sorted: readonly IdRange[], most: number): IdRange[] {
  const gaps = gapsOf(sorted);
  const order = gaps.map((_, at) => at).sort((a, b) => (gaps[a] ?? 0) - (gaps[b] ?? 0));
  const closed = new Set(order.slice(0, most));
  const all = gaps.flatMap((size, at) => {
    const before = sorted[at];
    return closed.has(at) && before !== undefined ? [{ start: before.start + before.size, size }] : [];
  });
  return merged([...sorted, ...all]);
}

function merged(ranges: readonly IdRange[]): IdRange[] {
  const out: IdRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = out.at(-1);
    if (last !== undefined && last.start + last.size >= range.start) {
      out[out.length - 1] = { start: last.start, size: Math.max(last.size, range.start + range.size - last.start) };
    } else out.push(range);
  }
  return out;
}

function takes(map: readonly IdMapping[]): boolean {
  const text = map.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('');
  return map.length <= maxExtents && text.length < mostBytes;
}
