/** Layers in another compression: made once, and kept in the store until blobs that no image names are collected. */

import { createReadStream, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { type HelperResult, runHelper } from '../helper.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { syncFolder, temporaryName, writeAtomically } from './atomic.ts';
import { keepBlob } from './blobs.ts';
import { type Digest, type Expected, hexOf, parseDigest } from './digest.ts';
import { optionalCount, parseJson, requiredText, wrong } from './json.ts';
import type { Descriptor } from './manifest.ts';
import { type Compression, compressionOf, type ConvertLayers, type Converted, recompressedType } from './rewrite.ts';
import { blobFile, imagesFolder, readableBlob, readImage, type StoredImage } from './store.ts';

export type CompressOptions = {
  /** Undefined: gzip for layers that are not compressed at all, and nothing else. */
  readonly format: Compression | undefined;
  /** Also layers that have the format already. */
  readonly force: boolean;
};

/** For pushing images of the store: registries are given compressed layers. @throws RootlessError LAYER_REPACK_FAILED, DISK_FULL */
export function convertLayers(paths: Paths, images: readonly StoredImage[], { format, force }: CompressOptions): ConvertLayers {
  const to = format ?? 'gzip';
  return async (layer, progress, stop) => {
    const now = compressionOf(layer.mediaType);
    const isLayer = /\bdiff\.tar\b|\blayer\.[a-z0-9.]*tar\b/.test(layer.mediaType);
    if (!isLayer || (now === to && !force) || (now !== undefined && format === undefined)) return undefined;
    const known = readRecord(paths, layer, to);
    if (known !== undefined) return converted(paths, layer, known, to);
    progress?.({ kind: 'compress', digest: layer.digest, done: 0, total: layer.size });
    const diffId = now === undefined ? layer.digest : diffIdOf(paths, images, layer.digest);
    return converted(paths, layer, await repack(paths, layer, to, diffId, stop), to);
  };
}

function converted(paths: Paths, layer: Descriptor, { digest, size }: Expected, to: Compression): Converted {
  const file = readableBlob(paths, digest);
  const mediaType = recompressedType(layer.mediaType, to);
  return { digest, size, mediaType, open: (from) => createReadStream(file, { start: from, highWaterMark: 1 << 18 }) };
}

/** What the blob holds, as its image says: a damaged one must not be given a new digest and sent. */
function diffIdOf(paths: Paths, images: readonly StoredImage[], blob: Digest): Digest | undefined {
  for (const image of images) {
    const { manifest, config } = readImage(paths, image);
    const index = manifest.layers.findIndex(({ digest }) => digest === blob);
    if (index >= 0) return config.diffIds[index];
  }
  return undefined;
}

async function repack(paths: Paths, layer: Descriptor, to: Compression, diffId: Digest | undefined, stop: AbortSignal): Promise<Expected> {
  const record = recordFile(paths, layer, to);
  for (const file of [record, blobFile(paths, layer.digest)]) makeFolders(dirname(file));
  const temporary = temporaryName(blobFile(paths, layer.digest));
  try {
    const result = await runHelper(paths, ['repack', '--compress', to, '--to', temporary, readableBlob(paths, layer.digest)], stop);
    stop.throwIfAborted();
    if (result.code !== 0) throw failure(result, layer);
    const made = readSums(result.stdout);
    if (diffId !== undefined && made.diffId !== diffId) throw damaged(layer, made.diffId);
    renameSync(temporary, blobFile(paths, made.digest));
    syncFolder(dirname(blobFile(paths, made.digest)));
    writeAtomically(record, JSON.stringify({ digest: made.digest, size: made.size }));
    return made;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function recordFile(paths: Paths, { digest }: Expected, to: Compression): string {
  return join(imagesFolder(paths), 'repacked', `${hexOf(digest)}.${to}`);
}

/** What was made of the layer before, if it is still there. */
function readRecord(paths: Paths, layer: Expected, to: Compression): Expected | undefined {
  const file = recordFile(paths, layer, to);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const blob = parseJson(text, 'STORE_INVALID', `"${file}"`, (root) => ({
    digest: parseDigest(requiredText(root, 'digest')) ?? wrong('/digest', 'is not a digest'),
    size: optionalCount(root, 'size') ?? wrong('/size', 'is missing'),
  }));
  if (keepBlob(paths, blob)) return blob;
  rmSync(file, { force: true });
  return undefined;
}

type Sums = Expected & { readonly diffId: string };

function readSums(text: string): Sums {
  return parseJson(text, 'LAYER_REPACK_FAILED', 'answer of the helper', (root) => ({
    diffId: requiredText(root, 'diffId'),
    digest: parseDigest(requiredText(root, 'digest')) ?? wrong('/digest', 'is not a digest'),
    size: optionalCount(root, 'blobSize') ?? wrong('/blobSize', 'is missing'),
  }));
}

function failure({ failure: facts, stderr }: HelperResult, { digest }: Expected): RootlessError {
  const why = facts === undefined ? stderr.trim() : [facts.target, facts.errno, facts.message].filter(Boolean).join(': ');
  const full = facts?.errno === 'ENOSPC' || facts?.errno === 'EDQUOT';
  if (full) return new RootlessError({ code: 'DISK_FULL', message: `no space left to compress layer ${digest}`, why, cause: facts });
  return new RootlessError({ code: 'LAYER_REPACK_FAILED', message: `cannot compress layer ${digest}`, why, cause: facts });
}

function damaged({ digest }: Expected, found: string): RootlessError {
  return new RootlessError({
    code: 'DIGEST_MISMATCH',
    message: `layer ${digest} in the store is damaged`,
    why: `its content has the digest ${found}`,
    fix: 'rootless system check',
  });
}
