/** Lists of images for several platforms that are made here (`manifest create`): index documents of the store, under names of their own. */

import { createReadStream, readFileSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { BlobSource } from './blob-source.ts';
import { addBytes } from './blobs.ts';
import { type Digest, digestOf, type Expected } from './digest.ts';
import { type Descriptor, mediaTypes, parseContents } from './manifest.ts';
import { parseReference } from './reference.ts';
import { annotations, hasBlob, readableBlob, readIndex, type StoreIndex } from './store.ts';
import { changeIndex } from './store-write.ts';

/** An entry as it is in the document; fields that are unknown here stay. */
export type ListEntry = {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

export type ImageList = {
  readonly name: string;
  readonly entries: readonly ListEntry[];
  /** Canonical names that entries were added by, by digest. */
  readonly origins: Readonly<Record<string, string>>;
};

const originsKey = 'io.rootless.list.origins';

/** @throws RootlessError STORE_INVALID */
export function findList(paths: Paths, name: string): ImageList | undefined {
  return listIn(paths, readIndex(paths), name);
}

/** @throws RootlessError LIST_NOT_FOUND */
export function requireList(paths: Paths, name: string): ImageList {
  return findList(paths, name) ?? noSuchList(name);
}

/** The document as it is pushed. */
export function listBytes({ entries }: Pick<ImageList, 'entries'>): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }));
}

/** Makes, replaces or with `undefined` removes a list, under the lock of the names. @returns its digest */
export function changeList(
  paths: Paths,
  name: string,
  change: (before: ImageList | undefined) => ImageList | undefined,
): Promise<Digest | undefined> {
  return changeIndex(paths, (index) => {
    const after = change(listIn(paths, index, name));
    const others = index.lists.filter((list) => list.annotations[annotations.name] !== name);
    if (after === undefined) return [{ ...index, lists: others }, undefined];
    const bytes = listBytes(after);
    const blob = { digest: digestOf(bytes), size: bytes.length };
    addBytes(paths, blob, bytes);
    const named = { [annotations.name]: name, [originsKey]: JSON.stringify(after.origins) };
    return [
      { ...index, lists: [...others, { ...blob, mediaType: mediaTypes.ociIndex, platform: undefined, annotations: named }] },
      blob.digest,
    ];
  });
}

/** What a push sends: from the store, and what it has not from where the entry came from. */
export function listSource(
  paths: Paths,
  list: ImageList,
  fetch: (origin: string, blob: Expected) => AsyncIterable<Uint8Array>,
): BlobSource {
  const home = originsOfBlobs(paths, list);
  return {
    root: listBytes(list),
    mediaType: mediaTypes.ociIndex,
    open: (blob, from) => {
      const origin = home.get(blob.digest);
      if (hasBlob(paths, blob) || origin === undefined)
        return createReadStream(readableBlob(paths, blob.digest), { start: from, highWaterMark: 1 << 18 });
      return skipping(fetch(origin, blob), from);
    },
    origins: ({ digest }, registry) => {
      const origin = home.get(digest);
      const reference = origin === undefined ? undefined : parseReference(origin);
      return reference?.registry === registry ? [reference.repository] : [];
    },
  };
}

function listIn(paths: Paths, { lists }: StoreIndex, name: string): ImageList | undefined {
  const found = lists.find((list) => list.annotations[annotations.name] === name);
  if (found === undefined) return undefined;
  const { manifests } = JSON.parse(readFileSync(readableBlob(paths, found.digest), 'utf8')) as { readonly manifests: readonly ListEntry[] };
  return { name, entries: manifests, origins: readOrigins(found) };
}

function readOrigins({ annotations: own }: Descriptor): Readonly<Record<string, string>> {
  try {
    return JSON.parse(own[originsKey] ?? '{}') as Readonly<Record<string, string>>;
  } catch {
    return {};
  }
}

/** Layers and configurations come from where their manifest came from. */
function originsOfBlobs(paths: Paths, { entries, origins }: ImageList): Map<Digest, string> {
  const found = new Map<Digest, string>();
  for (const entry of entries) {
    const origin = origins[entry.digest];
    if (origin === undefined) continue;
    const { config, layers } = parseContents(readFileSync(readableBlob(paths, entry.digest)), origin);
    for (const blob of [entry, ...layers, ...(config === undefined ? [] : [config])]) found.set(blob.digest, origin);
  }
  return found;
}

async function* skipping(content: AsyncIterable<Uint8Array>, from: number): AsyncGenerator<Uint8Array> {
  let skip = from;
  for await (const chunk of content) {
    yield chunk.subarray(Math.min(skip, chunk.length));
    skip -= Math.min(skip, chunk.length);
  }
}

function noSuchList(name: string): never {
  throw new RootlessError({
    code: 'LIST_NOT_FOUND',
    message: `no such manifest list: "${name}"`,
    fix: `rootless manifest create ${name} IMAGE...`,
    exit: 1,
  });
}
