/** Unpacking what an image still lacks, from the store or from local files, two layers at a time. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { LocalLayer } from './archive.ts';
import { type LayerMapping, layersFolder, missingLayers, otherFolders } from './layers.ts';
import { inParallel } from './pool.ts';
import type { Progress } from './progress.ts';
import type { Digest } from './digest.ts';
import { explainDisk } from './disk.ts';
import { shareLayers } from './share.ts';
import { layerTurn } from './turns.ts';
import { prepareLayers, startUnpack } from './unpack.ts';

/** Where a layer comes from: a verified blob of the store, or a stream. */
export type LayerOrigin =
  | { readonly diffId: Digest; readonly size: number; readonly file: string }
  | (LocalLayer & { readonly file?: undefined });

const atOnce = 2;

/** @throws RootlessError LAYER_UNPACK_FAILED, DISK_FULL, DIGEST_MISMATCH, …; nothing half-written remains */
export async function ensureLayers(
  paths: Paths,
  origins: readonly LayerOrigin[],
  mapping: LayerMapping,
  progress?: Progress,
  signal?: AbortSignal,
): Promise<void> {
  const missing = missingLayers(
    layersFolder(paths, mapping),
    origins.map(({ diffId }) => diffId),
    otherFolders(paths, mapping),
  );
  if (missing.length === 0) return;
  await unpackAll(paths, missing, origins, mapping, progress, signal).catch((cause: unknown) => {
    throw explainDisk(cause, paths);
  });
}

async function unpackAll(
  paths: Paths,
  missing: readonly Digest[],
  origins: readonly LayerOrigin[],
  mapping: LayerMapping,
  progress: Progress | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  await prepareLayers(paths, mapping);
  shareLayers(paths, mapping, missing);
  await inParallel(
    atOnce,
    missingLayers(layersFolder(paths, mapping), missing),
    async (diffId, stop) => {
      const origin = origins.find((layer) => layer.diffId === diffId);
      if (origin === undefined) throw new RootlessError({ code: 'LAYER_MISSING', message: `layer ${diffId} is nowhere` });
      await unpack(paths, origin, mapping, progress, stop);
    },
    signal,
  );
}

async function unpack(
  paths: Paths,
  origin: LayerOrigin,
  mapping: LayerMapping,
  progress: Progress | undefined,
  stop: AbortSignal,
): Promise<void> {
  using _turn = await layerTurn(paths, mapping, origin.diffId, stop);
  if (missingLayers(layersFolder(paths, mapping), [origin.diffId]).length === 0) return;
  const unpacking = startUnpack(paths, mapping, origin.diffId, origin.file);
  const report = (done: number) => progress?.({ kind: 'unpack', digest: origin.diffId, done, total: origin.size });
  try {
    report(0);
    let done = 0;
    for await (const chunk of origin.file === undefined ? origin.open() : []) {
      stop.throwIfAborted();
      await unpacking.write(chunk);
      done += chunk.length;
      report(done);
    }
    await unpacking.finish(stop);
    report(origin.size);
  } catch (cause) {
    await unpacking.discard();
    throw cause;
  }
}
