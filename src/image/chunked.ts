/** zstd:chunked layers: each file a zstd frame of its own, and a table of contents behind them, which the manifest points to. Pure. */

import { type Digest, digestOf, parseDigest } from './digest.ts';
import { list, object, optionalCount, optionalText, parseJson } from './json.ts';
import type { Descriptor } from './manifest.ts';

/** Where the table stands in the blob, compressed; and what its bytes hash to. */
export type TablePlace = { readonly start: number; readonly length: number; readonly plain: number; readonly checksum: Digest };

/** Compressed bytes of one content: the same content of the same length is most likely the same bytes. */
export type Piece = { readonly key: string; readonly start: number; readonly end: number };

/** Tables larger than this are not read: the layer is fetched whole. */
const tableLimit = 64 * 1024 * 1024;

const names = ['io.github.containers.zstd-chunked', 'io.containers.zstd-chunked'];

/** Undefined where the layer has no table that we understand. */
export function tablePlace({ annotations, size }: Descriptor): TablePlace | undefined {
  // The second name is that of tools before 2022.
  const told = (what: string) => names.map((name) => annotations[`${name}.manifest-${what}`]).find(Boolean) ?? '';
  const [position, checksum] = [told('position'), parseDigest(told('checksum'))];
  const [, start, length, plain, kind] = /^(\d{1,15}):(\d{1,9}):(\d{1,9}):(\d)$/.exec(position) ?? [];
  if (checksum === undefined || kind !== '1') return undefined;
  const place = { start: Number(start), length: Number(length), plain: Number(plain), checksum };
  return place.start + place.length <= size && Math.max(place.length, place.plain) <= tableLimit ? place : undefined;
}

/** Whether these are the bytes that the manifest promises. */
export function isTable(bytes: Uint8Array, { checksum }: TablePlace): boolean {
  return checksum.startsWith('sha256:') && digestOf(bytes) === checksum;
}

/** The pieces of a layer in the order of the blob. @throws RootlessError TABLE_INVALID */
export function parseTable(text: string, limit: number): Piece[] {
  const parts = parseJson(text, 'TABLE_INVALID', 'table of contents of a layer', (root) =>
    list(root, 'entries').flatMap(({ value, at }) => {
      const entry = object(value, at);
      const kind = optionalText(entry, 'type');
      const start = optionalCount(entry, 'offset');
      const digest = optionalText(entry, 'chunkDigest') || optionalText(entry, 'digest');
      if ((kind !== 'reg' && kind !== 'chunk') || start === undefined || !digest) return [];
      return [{ kind, start, end: optionalCount(entry, 'endOffset'), digest }];
    }),
  );
  const pieces = parts.flatMap(({ start, end, digest }, at) => {
    const next = parts[at + 1];
    // A chunk ends where the next one of its file begins; the last one where its file does.
    const stop = next?.kind === 'chunk' ? next.start : (end ?? fileEnd(parts, at));
    return stop !== undefined && stop > start && stop <= limit ? [{ key: `${digest}:${stop - start}`, start, end: stop }] : [];
  });
  return pieces.sort((a, b) => a.start - b.start).filter((piece, at, all) => at === 0 || piece.start >= (all[at - 1]?.end ?? 0));
}

type Part = { readonly kind: string; readonly end: number | undefined };

function fileEnd(parts: readonly Part[], at: number): number | undefined {
  for (let back = at; back >= 0; back -= 1) {
    if (parts[back]?.kind === 'reg') return parts[back]?.end;
  }
  return undefined;
}

/** Bytes that are here already, in another blob. */
export type Source = { readonly file: string; readonly start: number };

/** A stretch of the blob: from a file of ours, or from the registry. */
export type Stretch = { readonly start: number; readonly end: number; readonly from: Source | undefined };

/** A request costs more than the bytes of a small piece. */
const worthwhile = 64 * 1024;

/** How to put the blob together; undefined where so little is known that it is not worth it. */
export function planStretches(pieces: readonly Piece[], known: ReadonlyMap<string, Source>, size: number): Stretch[] | undefined {
  const stretches: Stretch[] = [];
  let at = 0;
  let ours = 0;
  for (const { key, start, end } of pieces) {
    const from = known.get(key);
    if (from === undefined || end - start < worthwhile || start < at) continue;
    if (start > at) stretches.push({ start: at, end: start, from: undefined });
    stretches.push({ start, end, from });
    ours += end - start;
    at = end;
  }
  if (at < size) stretches.push({ start: at, end: size, from: undefined });
  return ours >= size / 8 ? stretches : undefined;
}
