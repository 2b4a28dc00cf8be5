/** Lays out id maps (user_namespaces(7)): which container id is which host id. Pure. */

import type { IdMapping } from '../helper.ts';
import { count, type IdRange, idLimit, subtract } from './ranges.ts';

/** The kernel takes at most this many lines in a uid_map (since Linux 4.15). */
export const maxExtents = 340;

/** `nobody`, in nearly every image: mapped even when the ranges are too short to reach it. */
const nobody = 65534;

/** One container id that stands for one host id, whatever the ranges say. */
export type Pin = { readonly container: number; readonly host: number };

/**
 * Container ids 0, 1, 2… on `ranges` in order. Host ids that are pinned are taken out of the ranges. Beside a pinned 0 the ranges begin at
 * 1; any other one leaves the id of the ranges unused that would be there, so that all others are the same whoever is pinned: what is
 * unpacked for one such map can be used by the next.
 */
export function layOut(pin: Pin | undefined, ranges: readonly IdRange[]): IdMapping[] {
  const free = pin ? subtract(ranges, [{ start: pin.host, size: 1 }]) : [...ranges];
  const reach = count(free) + (pin?.container === 0 || pin?.container === count(free) ? 1 : 0);
  const sparse = reach > 1 && reach <= nobody && pin?.container !== nobody ? free.pop() : undefined;
  if (sparse && sparse.size > 1) free.push({ start: sparse.start, size: sparse.size - 1 });

  const map: IdMapping[] = [];
  let next = 0;
  for (const range of free) next = place(map, range, next, pin);
  if (pin && !map.some((extent) => extent.containerID === pin.container && extent.hostID === pin.host)) {
    map.push({ containerID: pin.container, hostID: pin.host, size: 1 });
  }
  if (sparse) map.push({ containerID: nobody, hostID: sparse.start + sparse.size - 1, size: 1 });
  return coalesce(map).slice(0, maxExtents);
}

/** Container ids 0, 1, 2… on a range, around lines that are there already. */
export function layAround(lines: readonly IdMapping[], { start, size }: IdRange): IdMapping[] {
  const there = lines.map((line) => ({ start: line.containerID, size: line.size }));
  const map = [...lines];
  let done = 0;
  for (const gap of subtract([{ start: 0, size: idLimit }], there)) {
    const take = Math.min(gap.size, size - done);
    if (take <= 0) break;
    map.push({ containerID: gap.start, hostID: start + done, size: take });
    done += take;
  }
  return coalesce(map);
}

/** `size` ids inside `ranges` that no slot in use covers, as one run; undefined if none is left. */
export function findSlot(ranges: readonly IdRange[], inUse: readonly IdRange[], size: number): IdRange | undefined {
  const free = subtract(ranges, inUse).find((range) => range.size >= size);
  return free && { start: free.start, size };
}

/** A line of /proc/PID/uid_map: `inside outside count`. What is inside are the ids that a nested map may use. */
export function parseProcMap(text: string): IdRange[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line);
    if (!match) return [];
    const start = Number(match[1]);
    const size = Math.min(Number(match[3]), idLimit - start);
    return size > 0 ? [{ start, size }] : [];
  });
}

/** The host id of a container id. */
export function toHost(map: readonly IdMapping[], id: number): number | undefined {
  const extent = map.find((one) => id >= one.containerID && id < one.containerID + one.size);
  return extent && extent.hostID + (id - extent.containerID);
}

function place(map: IdMapping[], range: IdRange, from: number, pin: Pin | undefined): number {
  let next = from;
  let { start, size } = range;
  while (size > 0 && next < idLimit) {
    if (pin?.container === next) {
      map.push({ containerID: next, hostID: pin.host, size: 1 });
      next += 1;
      if (pin.container > 0) {
        start += 1;
        size -= 1;
      }
    }
    const room = (pin && next < pin.container ? pin.container : idLimit) - next;
    const take = Math.min(size, room);
    if (take > 0) map.push({ containerID: next, hostID: start, size: take });
    next += take;
    start += take;
    size -= take;
  }
  return next;
}

/** Neighbours that continue each other on both sides become one line. */
export function coalesce(map: readonly IdMapping[]): IdMapping[] {
  const sorted = [...map].sort((a, b) => a.containerID - b.containerID);
  const merged: IdMapping[] = [];
  for (const extent of sorted) {
    const last = merged.at(-1);
    const follows = last && last.containerID + last.size === extent.containerID && last.hostID + last.size === extent.hostID;
    if (last && follows) merged[merged.length - 1] = { ...last, size: last.size + extent.size };
    else merged.push(extent);
  }
  return merged;
}
