/** Images of an archive or folder into the store, whatever tool wrote it: what it is is seen by looking. */

import { statSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { archiveFiles, folderFiles, type ImageFiles } from './files.ts';
import { compressionOfFile, inflate } from './inflate.ts';
import type { Platform } from './platform.ts';
import type { Progress } from './progress.ts';
import { parseReference } from './reference.ts';
import { familiarReference } from './removal.ts';
import { folderImages, layoutImages, type SourceImage, savedImages } from './source-image.ts';
import { spoolInput, whole } from './spool.ts';
import { storeImage } from './store-image.ts';
import { readTarIndex } from './tar-index.ts';

/** A name as people type it; undefined for an image that has none, once each. */
export type Loaded = { readonly name: string | undefined; readonly id: string };

export type LoadOptions = {
  /** Undefined: all that are there. */
  readonly platform?: Platform | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** @param input  a file or folder; undefined is standard input. @throws RootlessError ARCHIVE_…, LAYOUT_…, MANIFEST_INVALID, … */
export async function loadImages(paths: Paths, input: string | undefined, options: LoadOptions): Promise<Loaded[]> {
  if (input !== undefined && statSync(input, { throwIfNoEntry: false })?.isDirectory()) {
    return storeAll(paths, await imagesIn(folderFiles(input, input)), input, options);
  }
  const shown = input ?? 'standard input';
  using spooled = await spoolInput(paths, input, options.signal);
  if (statSync(spooled.file, { throwIfNoEntry: false })?.size === 0) throw empty(shown);
  const kind = compressionOfFile(spooled.file);
  using plain = kind === undefined ? whole(spooled.file) : await inflate(paths, spooled.file, kind, shown, options.signal);
  const files = archiveFiles(plain.file, readTarIndex(plain.file, shown), shown);
  return await storeAll(paths, await imagesIn(files), shown, options);
}

function empty(shown: string): RootlessError {
  const why = shown === 'standard input' ? 'nothing was piped in, or what should write it failed' : undefined;
  return new RootlessError({ code: 'LAYOUT_INVALID', message: `"${shown}" is empty`, why });
}

/** A layout says what it is; docker's new archives are both, and the layout knows more. */
export async function imagesIn(files: ImageFiles): Promise<SourceImage[]> {
  if (files.size('oci-layout') !== undefined && files.size('index.json') !== undefined) return withSavedNames(files, layoutImages(files));
  if (files.size('version') !== undefined && files.size('repositories') === undefined) return folderImages(files);
  if (files.size('manifest.json') !== undefined) return savedImages(files);
  throw new RootlessError({
    code: 'LAYOUT_INVALID',
    message: `"${files.shown}" holds no image`,
    why: 'it has neither oci-layout and index.json nor manifest.json',
    fix: 'a plain root filesystem becomes an image by "rootless import"',
  });
}

/** Where the layout names only tags, docker's own list has the whole names. */
async function withSavedNames(files: ImageFiles, images: readonly SourceImage[]): Promise<SourceImage[]> {
  if (files.size('manifest.json') === undefined || images.length !== 1) return [...images];
  const saved = await savedImages(files);
  const names = saved.flatMap((image) => image.names);
  return saved.length === 1 && names.length > 0 ? images.map((image) => ({ ...image, names })) : [...images];
}

async function storeAll(paths: Paths, images: readonly SourceImage[], shown: string, options: LoadOptions): Promise<Loaded[]> {
  if (images.length === 0) throw new RootlessError({ code: 'LAYOUT_INVALID', message: `"${shown}" holds no image` });
  const loaded: Loaded[] = [];
  for (const { source, names, has } of images) {
    const wanted = [...new Set(names.flatMap(storeName))];
    const choice = options.platform === undefined ? { present: has } : { platform: options.platform };
    const [first] = await storeImage(paths, source, wanted, { ...options, shown, choice });
    const id = first?.id ?? '';
    loaded.push(...(wanted.length === 0 ? [{ name: undefined, id }] : wanted.map((name) => ({ name: familiarReference(name), id }))));
  }
  return loaded;
}

/** A name that no registry could have names nothing. */
function storeName(text: string): string[] {
  try {
    return [parseReference(text).name];
  } catch (error) {
    if (error instanceof RootlessError) return [];
    throw error;
  }
}
