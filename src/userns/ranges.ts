/** Sets of ids as half-open ranges, in the order in which they are to be used. */

export type IdRange = { readonly start: number; readonly size: number };

/** 4294967295 is (uid_t)-1: "no id" to every system call, so it can never be mapped. */
export const idLimit = 0xffff_ffff;

/** What of `ranges` is not in `holes`; keeps the order of `ranges`. */
export function subtract(ranges: readonly IdRange[], holes: readonly IdRange[]): IdRange[] {
  return holes.reduce<IdRange[]>((rest, hole) => rest.flatMap((range) => cut(range, hole)), [...ranges]);
}

/** What is both in `ranges` and in `frame`; keeps the order of `ranges`. */
export function intersect(ranges: readonly IdRange[], frame: readonly IdRange[]): IdRange[] {
  return ranges.flatMap((range) =>
    frame.flatMap((part) => {
      const start = Math.max(range.start, part.start);
      const end = Math.min(range.start + range.size, part.start + part.size);
      return end > start ? [{ start, size: end - start }] : [];
    }),
  );
}

/** Ranges without overlaps: what an earlier range has, a later one loses. */
export function disjoint(ranges: readonly IdRange[]): IdRange[] {
  const kept: IdRange[] = [];
  for (const range of ranges) kept.push(...subtract([range], kept));
  return kept;
}

export function count(ranges: readonly IdRange[]): number {
  return ranges.reduce((sum, range) => sum + range.size, 0);
}

function cut(range: IdRange, hole: IdRange): IdRange[] {
  const end = range.start + range.size;
  const holeEnd = hole.start + hole.size;
  const before = { start: range.start, size: Math.min(end, hole.start) - range.start };
  const afterStart = Math.max(range.start, holeEnd);
  const after = { start: afterStart, size: end - afterStart };
  return [before, after].filter((part) => part.size > 0);
}
