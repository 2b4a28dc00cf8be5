/**
 * Partial pulls: of a zstd:chunked layer only those files are fetched that no blob of the store has. What comes out is the whole blob,
 * and its own digest says whether it is right; where it is not, it is fetched whole.
 */

import { createReadStream } from 'node:fs';
import { startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { isTable, parseTable, type Piece, planStretches, type Source, type Stretch, type TablePlace, tablePlace } from './chunked.ts';
import { readPart } from './files.ts';
import type { Descriptor } from './manifest.ts';
import type { Registry } from './registry.ts';
import { hasBlob, listImages, readableBlob, readManifest } from './store.ts';

/** Blobs that are looked into. */
const most = 64;

/** Contents of chunked layers that are in the store. */
export async function knownPieces(paths: Paths): Promise<ReadonlyMap<string, Source>> {
  const known = new Map<string, Source>();
  for (const layer of chunkedLayers(paths)) {
    const place = tablePlace(layer);
    if (place === undefined) continue;
    const file = readableBlob(paths, layer.digest);
    for (const { key, start } of await piecesOf(paths, readPart(file, place.start, place.length), place, layer.size)) {
      known.set(key, { file, start });
    }
  }
  return known;
}

/** Stretches that make up the blob; undefined where it is better fetched whole. */
export async function planPartial(
  paths: Paths,
  registry: Registry,
  layer: Descriptor,
  known: () => Promise<ReadonlyMap<string, Source>>,
  stop: AbortSignal,
): Promise<readonly Stretch[] | undefined> {
  const place = tablePlace(layer);
  if (place === undefined) return undefined;
  const sources = await known();
  if (sources.size === 0) return undefined;
  const table = await registry.range(layer, place.start, place.length, stop);
  if (table === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of table) chunks.push(chunk);
  return planStretches(await piecesOf(paths, Buffer.concat(chunks), place, layer.size), sources, layer.size);
}

/** Requests that are on their way while another one's answer is read: what a distant registry needs. */
const ahead = 4;

/** The blob in order. A server that stops serving parts ends it early, which the digest then shows. */
export async function* assemble(
  registry: Registry,
  layer: Descriptor,
  stretches: readonly Stretch[],
  stop: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const remote = stretches.filter(({ from }) => from === undefined);
  const asked: Promise<AsyncGenerator<Uint8Array> | undefined>[] = [];
  const ask = () => {
    const next = remote.shift();
    if (next === undefined) return;
    const answer = registry.range(layer, next.start, next.end - next.start, stop);
    // Told when it is waited for.
    answer.catch(() => {});
    asked.push(answer);
  };
  for (let at = 0; at < ahead; at += 1) ask();
  try {
    for (const { start, end, from } of stretches) {
      if (from !== undefined) {
        yield* createReadStream(from.file, { start: from.start, end: from.start + (end - start) - 1, highWaterMark: 1 << 18 });
        continue;
      }
      const part = await asked.shift();
      if (part === undefined) return;
      ask();
      yield* part;
    }
  } finally {
    for (const answer of asked) void answer.then((part) => part?.return(undefined)).catch(() => {});
  }
}

function chunkedLayers(paths: Paths): Descriptor[] {
  const found = new Map<string, Descriptor>();
  for (const image of listImages(paths).toReversed()) {
    try {
      for (const layer of readManifest(paths, image).layers) {
        if (tablePlace(layer) !== undefined && hasBlob(paths, layer)) found.set(layer.digest, layer);
      }
    } catch {
      // An image that is not whole helps nobody, and hinders nobody.
    }
    if (found.size >= most) break;
  }
  return [...found.values()].slice(0, most);
}

/** None where the table is not what the manifest promises, or cannot be read: nothing depends on it. */
async function piecesOf(paths: Paths, bytes: Uint8Array, place: TablePlace, size: number): Promise<Piece[]> {
  if (!isTable(bytes, place)) return [];
  const { child, done } = startHelper(paths, ['layer', 'plain'], ['pipe', 'pipe', 'pipe']);
  child.stdin?.on('error', () => {});
  child.stdin?.end(bytes);
  const { code, stdout } = await done;
  try {
    return code === 0 ? parseTable(stdout, size) : [];
  } catch {
    return [];
  }
}
