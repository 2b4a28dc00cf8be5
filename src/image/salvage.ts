/** A damaged index.json is made anew: of the entries that can still be read in it, and of the images whose documents are among the blobs. */

import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { Problem } from './check.ts';
import { parseConfig } from './config.ts';
import { parseDigest } from './digest.ts';
import { readEntry } from './index-entries.ts';
import { withLock } from './lock.ts';
import { type Descriptor, mediaTypes, parseManifest } from './manifest.ts';
import { blobFile, fromDescriptor, imagesFolder, indexFile, readIndex, type StoredImage, type StoreIndex } from './store.ts';
import { lockFile, writeIndex } from './store-write.ts';

/** No document of an image is larger; layers mostly are. */
const largest = 4 << 20;

/** @returns what is wrong with the index itself, if something is */
export function checkIndex(paths: Paths): Problem | undefined {
  try {
    readIndex(paths);
    return undefined;
  } catch (error) {
    if (!(error instanceof RootlessError) || error.code !== 'STORE_INVALID') throw error;
    const why = error.why ?? error.message;
    return { level: 'broken', kind: 'index-damaged', what: indexFile(paths), why, files: [], images: [] };
  }
}

/** The old one stays beside it, as `index.json.damaged`. */
export function rebuildIndex(paths: Paths, signal?: AbortSignal): Promise<void> {
  return withLock(
    lockFile(paths),
    () => {
      // Somebody was faster.
      if (checkIndex(paths) === undefined) return;
      const file = indexFile(paths);
      copyFileSync(file, `${file}.damaged`);
      writeIndex(paths, salvaged(paths, readFileSync(file, 'utf8')));
    },
    signal,
  );
}

/** An entry without its manifest is a name of nothing. */
function salvaged(paths: Paths, text: string): StoreIndex {
  const entries = entriesIn(text).filter(({ digest }) => existsSync(blobFile(paths, digest)));
  const images = entries.flatMap(fromDescriptor);
  const known = new Set(images.map(({ manifest }) => manifest.digest));
  const nameless = imagesAmongBlobs(paths).filter(({ manifest }) => !known.has(manifest.digest));
  return { images: [...images, ...nameless], lists: entries.filter(({ mediaType }) => mediaType === mediaTypes.ociIndex) };
}

/** Pure: every object in the text that is an entry, wherever the text breaks off or is spoiled. */
export function entriesIn(text: string): Descriptor[] {
  const found: Descriptor[] = [];
  for (let begin = text.indexOf('{"mediaType"'); begin >= 0; ) {
    const end = endOf(text, begin);
    const entry = end === undefined ? undefined : readEntry(parsed(text.slice(begin, end)));
    if (entry) found.push(entry);
    begin = text.indexOf('{"mediaType"', entry && end ? end : begin + 1);
  }
  return found;
}

/** Behind the brace that closes the one at `begin`; none of our strings holds a brace. */
function endOf(text: string, begin: number): number | undefined {
  let depth = 0;
  for (let at = begin; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1;
    else if (text[at] === '}') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Their names are lost; ids and content are not. */
function imagesAmongBlobs(paths: Paths): StoredImage[] {
  const folder = join(imagesFolder(paths), 'blobs/sha256');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.flatMap((hex) => {
    const digest = parseDigest(`sha256:${hex}`);
    const size = statSync(join(folder, hex), { throwIfNoEntry: false })?.size ?? largest;
    if (digest === undefined || size >= largest) return [];
    try {
      const manifest = parseManifest(readFileSync(join(folder, hex)), hex);
      if (manifest.kind !== 'manifest') return [];
      const id = manifest.config.digest;
      const { platform } = parseConfig(readFileSync(blobFile(paths, id)), hex);
      const entry = { mediaType: manifest.mediaType ?? mediaTypes.ociManifest, digest, size, platform, annotations: {} };
      return [{ name: undefined, manifest: entry, source: digest, id, brief: undefined }];
    } catch {
      // No manifest, or one whose configuration is lost.
      return [];
    }
  });
}
