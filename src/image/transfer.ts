/** Pulling: manifest, configuration, then layers side by side, each stored and unpacked while it arrives. */

import { readFileSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { configLimit, type ImageConfig, parseConfig } from './config.ts';
import { checkBytes, type Digest, digestOf } from './digest.ts';
import { type LayerMapping, layersFolder, missingLayers } from './layers.ts';
import { type Descriptor, images, type Manifest, mediaTypes, parseManifest } from './manifest.ts';
import { choosePlatform, distance, hostPlatform, normalize, type Platform, platformNotFound } from './platform.ts';
import { inParallel } from './pool.ts';
import type { Progress } from './progress.ts';
import type { RegistryReference } from './reference.ts';
import { openRegistry, type Registry } from './registry.ts';
import type { RegistrySettings } from './session.ts';
import { blobFile, type StoredImage } from './store.ts';
import { addBlob, addBytes, keepBlob, lease, nameImage, sweep } from './store-write.ts';
import { prepareLayers, startUnpack, type Unpacking } from './unpack.ts';

export type PullOptions = {
  readonly paths: Paths;
  readonly platform?: Platform | undefined;
  /** With it, layers are unpacked too. */
  readonly mapping?: LayerMapping | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
} & Omit<RegistrySettings, 'environment'>;

/** What a name in a registry stands for, for one platform. */
type Found = {
  readonly source: Digest;
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
};

const downloads = 3;
/** An index may list indexes; more than this deep is no image but a trap. */
const deepest = 4;

/**
 * Makes the store hold what the registry has under this name now. What is already there is not fetched again.
 * @throws RootlessError of registry, manifest and store; nothing half-written remains under any name
 */
export async function pull(reference: RegistryReference, options: PullOptions): Promise<StoredImage> {
  const { paths, signal } = options;
  signal?.throwIfAborted();
  using _lease = lease(paths);
  sweep(paths);
  const registry = openRegistry(reference, { ...options, environment: paths.registry }, signal);
  try {
    const found = await findManifest(registry, reference, options.platform);
    const { config, bytes } = await fetchConfig(registry, reference, found.manifest, paths);
    checkPlatform(reference, config, options.platform);
    await fetchLayers(registry, found.manifest, config, options);
    addBytes(paths, found.manifest.config, bytes);
    addBytes(paths, found.descriptor, found.bytes);
    const manifest = { ...found.descriptor, platform: config.platform };
    const image: StoredImage = { name: reference.name, manifest, source: found.source, id: found.manifest.config.digest };
    await nameImage(paths, image, signal);
    return image;
  } finally {
    registry.close();
  }
}

async function findManifest(registry: Registry, reference: RegistryReference, platform: Platform | undefined): Promise<Found> {
  const bytes = await registry.manifest(reference.digest ?? reference.tag ?? 'latest');
  if (reference.digest !== undefined) checkBytes(bytes, { digest: reference.digest, size: bytes.length });
  const source = reference.digest ?? digestOf(bytes);
  let found = parseManifest(bytes, reference.name);
  let at: { bytes: Uint8Array; descriptor: Descriptor } = {
    bytes,
    descriptor: { mediaType: mediaTypes.ociManifest, digest: source, size: bytes.length, platform: undefined, annotations: {} },
  };
  for (let depth = 0; found.kind === 'index'; depth += 1) {
    if (depth === deepest)
      throw new RootlessError({ code: 'MANIFEST_INVALID', message: `index of "${reference.name}" is nested too deeply` });
    const descriptor = choosePlatform(images(found), platform ?? hostPlatform(), reference.name);
    const inner = await registry.manifest(descriptor.digest);
    checkBytes(inner, descriptor);
    at = { bytes: inner, descriptor };
    found = parseManifest(inner, reference.name);
  }
  return { source, manifest: found, bytes: at.bytes, descriptor: { ...at.descriptor, mediaType: found.mediaType } };
}

async function fetchConfig(
  registry: Registry,
  reference: RegistryReference,
  { config, layers }: Manifest,
  paths: Paths,
): Promise<{ config: ImageConfig; bytes: Uint8Array }> {
  if (config.size > configLimit) {
    throw new RootlessError({
      code: 'MANIFEST_TOO_LARGE',
      message: `configuration of "${reference.name}" is too large`,
      why: `it has ${config.size} bytes`,
    });
  }
  const bytes = keepBlob(paths, config) ? readFileSync(blobFile(paths, config.digest)) : await collect(registry.blob(config));
  checkBytes(bytes, config);
  const parsed = parseConfig(bytes, reference.name);
  if (parsed.diffIds.length !== layers.length) {
    throw new RootlessError({
      code: 'CONFIG_INVALID',
      message: `image "${reference.name}" contradicts itself`,
      why: `its manifest has ${layers.length} layers, its configuration ${parsed.diffIds.length}`,
    });
  }
  return { config: parsed, bytes };
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** An index is chosen from; a lone manifest is taken as it is, unless something else was asked for. */
function checkPlatform(reference: RegistryReference, { platform }: ImageConfig, asked: Platform | undefined): void {
  if (asked === undefined || distance(asked, platform) !== undefined) return;
  throw platformNotFound(asked, [normalize(platform.os, platform.architecture, platform.variant)], reference.name);
}

async function fetchLayers(registry: Registry, manifest: Manifest, config: ImageConfig, options: PullOptions): Promise<void> {
  const { paths, mapping, signal } = options;
  if (mapping !== undefined) await prepareLayers(paths, mapping);
  const missing = new Set(mapping === undefined ? [] : missingLayers(layersFolder(paths, mapping), config.diffIds));
  const layers = new Map(manifest.layers.map((layer, index) => [layer.digest, { layer, diffId: config.diffIds[index] }]));
  await inParallel(
    downloads,
    [...layers.values()],
    async ({ layer, diffId }, stop) => {
      const target = mapping !== undefined && diffId !== undefined && missing.delete(diffId) ? { mapping, diffId } : undefined;
      await fetchLayer(registry, layer, target, options, stop);
    },
    signal,
  );
}

/** `stop` is aborted when another layer failed or the user gave up. */
async function fetchLayer(
  registry: Registry,
  layer: Descriptor,
  target: { readonly mapping: LayerMapping; readonly diffId: Digest } | undefined,
  { paths, progress }: PullOptions,
  stop: AbortSignal,
): Promise<void> {
  const stored = keepBlob(paths, layer);
  if (stored && target === undefined) return progress?.({ kind: 'download', digest: layer.digest, done: layer.size, total: layer.size });
  const unpacking = target && startUnpack(paths, target.mapping, target.diffId, stored ? blobFile(paths, layer.digest) : undefined);
  try {
    if (!stored) await addBlob(paths, layer, counted(registry.blob(layer, stop), layer, progress, stop), unpacking?.write);
    await finish(unpacking, layer, progress, stop);
  } catch (cause) {
    await unpacking?.discard();
    throw cause;
  }
}

async function finish(
  unpacking: Unpacking | undefined,
  layer: Descriptor,
  progress: Progress | undefined,
  stop: AbortSignal,
): Promise<void> {
  if (unpacking === undefined) return;
  await unpacking.finish(stop);
  progress?.({ kind: 'unpack', digest: layer.digest, done: layer.size, total: layer.size });
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  layer: Descriptor,
  progress: Progress | undefined,
  stop: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const chunk of source) {
    stop.throwIfAborted();
    done += chunk.length;
    yield chunk;
    progress?.({ kind: 'download', digest: layer.digest, done, total: layer.size });
  }
}
