/** Looking for what is wrong in the store of images: lost and damaged blobs, and what dead processes left. */

import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import { blobFolders, deadFiles, unusedBlobs } from './collect.ts';
import { parseConfig } from './config.ts';
import { algorithmOf, type Expected, hexOf } from './digest.ts';
import { staleLocks } from './lock.ts';
import { parseManifest } from './manifest.ts';
import { familiarReference } from './removal.ts';
import { imagesFolder, readableBlob, readIndex, type StoredImage } from './store.ts';
import { locksFolder } from './turns.ts';

export type Problem = {
  /** `broken` is wrong, `leftover` only takes space. */
  readonly level: 'broken' | 'leftover';
  /** Stable: `blob-missing`, `blob-damaged`, `blob-unused`, `image-unreadable`, `temporary-file`, `stale-lock`, `layer-…`, `index-damaged`. */
  readonly kind: string;
  /** The path, image or layer. */
  readonly what: string;
  readonly why: string;
  /** Files that go when it is repaired. */
  readonly files: readonly string[];
  /** Images that have to be fetched again. */
  readonly images: readonly StoredImage[];
};

export type CheckOptions = {
  /** Only sizes, no digests. */
  readonly quick: boolean;
  readonly signal?: AbortSignal | undefined;
};

/** @throws RootlessError STORE_INVALID when the index itself cannot be read */
export async function checkImages(paths: Paths, { quick, signal }: CheckOptions): Promise<Problem[]> {
  const bad = new Map(quick ? [] : await damagedBlobs(paths, signal));
  const { images, lists } = readIndex(paths);
  const problems = merged(images.flatMap((image) => checkImage(paths, image, bad)));
  for (const list of lists)
    problems.push(...checkBlob(paths, list, bad, `list ${list.annotations['org.opencontainers.image.ref.name'] ?? list.digest}`));
  const named = new Set(problems.flatMap(({ files }) => files));
  const still = readIndex(paths).images;
  const orphans = [...bad].filter(([path]) => !named.has(path));
  problems.push(
    ...orphans.map(([path, why]): Problem => ({ level: 'broken', kind: 'blob-damaged', what: path, why, files: [path], images: [] })),
  );
  return [...problems.filter((problem) => isStill(problem, still)), ...leftovers(paths)];
}

/** What somebody removed during the look is no problem. */
function isStill({ images }: Problem, still: readonly StoredImage[]): boolean {
  return images.length === 0 || images.some((image) => still.some(({ id, name }) => id === image.id && name === image.name));
}

/** Blobs whose bytes are not what their name says, with the reason. */
async function damagedBlobs(paths: Paths, signal: AbortSignal | undefined): Promise<[string, string][]> {
  const damaged: [string, string][] = [];
  for (const folder of blobFolders(paths)) {
    for (const hex of existsSync(folder) ? readdirSync(folder) : []) {
      signal?.throwIfAborted();
      const path = join(folder, hex);
      if (hex.includes('.')) continue;
      const found = await hashOf(path, folder.endsWith('sha512') ? 'sha512' : 'sha256').catch((cause: NodeJS.ErrnoException) => cause);
      if (found === hex || (found instanceof Error && found.code === 'ENOENT')) continue;
      damaged.push([path, found instanceof Error ? found.message : `its bytes have the digest ${found.slice(0, 12)}…`]);
    }
  }
  return damaged;
}

async function hashOf(path: string, algorithm: 'sha256' | 'sha512'): Promise<string> {
  const hash = process.getBuiltinModule('node:crypto').createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

type Bad = ReadonlyMap<string, string>;

function checkImage(paths: Paths, image: StoredImage, bad: Bad): Problem[] {
  const shown = `image ${image.name === undefined ? hexOf(image.id).slice(0, 12) : familiarReference(image.name)}`;
  const own = checkBlob(paths, image.manifest, bad, shown, image);
  if (own.length > 0) return own;
  try {
    const manifest = parseManifest(readFileSync(readableBlob(paths, image.manifest.digest)), shown);
    if (manifest.kind === 'index') return [unreadable(shown, 'its manifest is an index', image)];
    const blobs = [manifest.config, ...manifest.layers];
    const problems = blobs.flatMap((blob) => checkBlob(paths, blob, bad, shown, image));
    if (problems.some(({ what }) => what.endsWith(hexOf(image.id)))) return problems;
    const { diffIds } = parseConfig(readFileSync(readableBlob(paths, image.id)), shown);
    return diffIds.length === manifest.layers.length
      ? problems
      : [...problems, unreadable(shown, 'its configuration contradicts its manifest', image)];
  } catch (error) {
    return [unreadable(shown, (error as Error).message, image)];
  }
}

function checkBlob(paths: Paths, blob: Expected, bad: Bad, shown: string, image?: StoredImage): Problem[] {
  const path = readableBlob(paths, blob.digest);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  const what = `${algorithmOf(blob.digest)}:${hexOf(blob.digest)}`;
  const images = image === undefined ? [] : [image];
  if (size === undefined) return [{ level: 'broken', kind: 'blob-missing', what, why: `${shown} needs it`, files: [], images }];
  const why = size === blob.size ? bad.get(path) : `it has ${size} bytes instead of ${blob.size}`;
  return why === undefined
    ? []
    : [{ level: 'broken', kind: 'blob-damaged', what, why: `${why}; ${shown} needs it`, files: [path], images }];
}

/** A blob that several images need is one problem. */
function merged(problems: readonly Problem[]): Problem[] {
  const found = new Map<string, Problem>();
  for (const problem of problems) {
    const key = `${problem.kind} ${problem.what}`;
    const before = found.get(key);
    found.set(key, before === undefined ? problem : { ...before, images: [...before.images, ...problem.images] });
  }
  return [...found.values()];
}

function unreadable(what: string, why: string, image: StoredImage): Problem {
  return { level: 'broken', kind: 'image-unreadable', what, why, files: [], images: [image] };
}

function leftovers(paths: Paths): Problem[] {
  const one =
    (kind: string, why: string) =>
    (path: string): Problem => ({ level: 'leftover', kind, what: path, why, files: [path], images: [] });
  const locks = staleLocks([join(imagesFolder(paths), 'lock'), ...filesIn(locksFolder(paths))]);
  return [
    ...unusedBlobs(paths).map(one('blob-unused', 'no image needs it')),
    ...deadFiles(paths).map(one('temporary-file', 'the process that wrote it is gone')),
    ...locks.map(one('stale-lock', 'the process that held it is gone')),
  ];
}

function filesIn(folder: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => !name.includes('.tmp-'))
        .map((name) => join(folder, name))
    : [];
}
