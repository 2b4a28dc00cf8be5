/** Pulling: manifest, configuration, then layers side by side, each stored and unpacked while it arrives. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { addBlob, addBytes, keepBlob, lease } from './blobs.ts';
import { sweep } from './collect.ts';
import type { Source } from './chunked.ts';
import type { ImageConfig } from './config.ts';
import type { Digest } from './digest.ts';
import { explainDisk } from './disk.ts';
import { isUnmapped, type Widen } from './fit-layers.ts';
import { type LayerMapping, layersFolder, missingLayers, otherFolders } from './layers.ts';
import type { Descriptor, Manifest } from './manifest.ts';
import { assemble, knownPieces, planPartial } from './partial.ts';
import type { Platform } from './platform.ts';
import { inParallel } from './pool.ts';
import type { Progress } from './progress.ts';
import type { RegistryReference } from './reference.ts';
import { openRegistry, type Registry } from './registry.ts';
import { checkPlatform, fetchConfig, findManifest } from './remote-image.ts';
import type { RegistrySettings } from './session.ts';
import { shareLayers } from './share.ts';
import { fullNames } from './short-names.ts';
import { isWhole, type NamedImage, readableBlob } from './store.ts';
import { nameImage } from './store-write.ts';
import { blobTurn, layerTurn } from './turns.ts';
import { prepareLayers, startUnpack, type Unpacking } from './unpack.ts';

export type PullOptions = {
  readonly paths: Paths;
  readonly platform?: Platform | undefined;
  /** With it, layers are unpacked too. */
  readonly mapping?: LayerMapping | undefined;
  /** Where owners of files are not in it. */
  readonly widen?: Widen | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
} & Omit<RegistrySettings, 'environment'>;

const downloads = 3;
/**
 * Makes the store hold what the registry has under this name now. What is already there is not fetched again. A name without a
 * registry is what registries.conf makes of it; the image gets the full name.
 * @throws RootlessError of registry, manifest and store; nothing half-written remains under any name
 */
export async function pull(reference: RegistryReference, options: PullOptions): Promise<NamedImage> {
  options.signal?.throwIfAborted();
  const names = fullNames(reference, options.paths.registry);
  const failures: RootlessError[] = [];
  for (const name of names) {
    try {
      return await pullOne(name, options);
    } catch (cause) {
      options.signal?.throwIfAborted();
      if (names.length === 1 || !(cause instanceof RootlessError) || !elsewhere.has(cause.code)) throw cause;
      failures.push(cause);
    }
  }
  throw new RootlessError({
    code: 'IMAGE_NOT_FOUND',
    message: `no registry of registries.conf has "${reference.short}"`,
    why: failures.map(({ message }) => message).join('\n'),
    cause: failures[0],
  });
}

/** What another search registry may do better. */
const elsewhere = new Set(['IMAGE_NOT_FOUND', 'TAG_NOT_FOUND', 'REGISTRY_UNAUTHORIZED', 'REGISTRY_DENIED', 'REGISTRY_UNREACHABLE']);

async function pullOne(reference: RegistryReference, options: PullOptions): Promise<NamedImage> {
  const registry = openRegistry(reference, { ...options, environment: options.paths.registry }, options.signal);
  try {
    return await pullFrom(registry, reference, options);
  } catch (cause) {
    throw explainDisk(cause, options.paths);
  } finally {
    registry.close();
  }
}

async function pullFrom(registry: Registry, reference: RegistryReference, options: PullOptions): Promise<NamedImage> {
  const { paths, signal } = options;
  using _lease = lease(paths);
  sweep(paths);
  const found = await findManifest(registry, reference, options.platform);
  const { config, bytes } = await fetchConfig(registry, reference, found.manifest, paths);
  checkPlatform(reference, config, options.platform);
  const manifest = { ...found.descriptor, platform: config.platform };
  const image: NamedImage = { name: reference.name, manifest, source: found.source, id: found.manifest.config.digest };
  // A collection that had begun before may have taken what was there already: once there is a name, none does.
  for (let attempt = 0; attempt < 3 && (attempt === 0 || !isWhole(paths, image)); attempt += 1) {
    await fetchLayers(registry, found.manifest, config, options);
    addBytes(paths, found.manifest.config, bytes);
    addBytes(paths, found.descriptor, found.bytes);
    await nameImage(paths, image, signal);
  }
  await fitPulled(found.manifest, config, options);
  return image;
}

async function fetchLayers(registry: Registry, manifest: Manifest, config: ImageConfig, options: PullOptions): Promise<void> {
  const { paths, mapping, signal } = options;
  const missing = new Set(mapping === undefined ? [] : await toUnpack(paths, mapping, config.diffIds));
  const layers = new Map(manifest.layers.map((layer, index) => [layer.digest, { layer, diffId: config.diffIds[index] }]));
  let pieces: ReturnType<Known> | undefined;
  const known: Known = () => {
    pieces ??= knownPieces(paths);
    return pieces;
  };
  await inParallel(
    downloads,
    [...layers.values()],
    async ({ layer, diffId }, stop) => {
      const target = mapping !== undefined && diffId !== undefined && missing.delete(diffId) ? { mapping, diffId } : undefined;
      await fetchLayer(registry, layer, target, options, known, stop);
    },
    signal,
  );
}

/** What no other mapping has for this one. */
async function toUnpack(paths: Paths, mapping: LayerMapping, diffIds: readonly Digest[]): Promise<Digest[]> {
  await prepareLayers(paths, mapping);
  const folders = [layersFolder(paths, mapping), otherFolders(paths, mapping)] as const;
  const missing = missingLayers(folders[0], diffIds, folders[1]);
  if (missing.length > 0) shareLayers(paths, mapping, missing);
  return missingLayers(folders[0], missing);
}

/** What could not be unpacked as it came, since its owners are not in the mapping. */
async function fitPulled({ layers }: Manifest, { diffIds }: ImageConfig, { paths, mapping, ...more }: PullOptions): Promise<void> {
  if (mapping === undefined || missingLayers(layersFolder(paths, mapping), diffIds, otherFolders(paths, mapping)).length === 0) return;
  const { fitLayers } = await import('./fit-layers.ts');
  const origins = () =>
    layers.map(({ digest, size }, index) => ({ diffId: diffIds[index] ?? digest, size, file: readableBlob(paths, digest) }));
  await fitLayers(paths, origins, diffIds, { mapping, ...more });
}

type Known = () => Promise<ReadonlyMap<string, Source>>;

type Target = { readonly mapping: LayerMapping; readonly diffId: Digest };

/** `stop` is aborted when another layer failed or the user gave up. */
async function fetchLayer(
  registry: Registry,
  layer: Descriptor,
  target: Target | undefined,
  options: PullOptions,
  known: Known,
  stop: AbortSignal,
): Promise<void> {
  const { paths } = options;
  using _blob = keepBlob(paths, layer) ? undefined : await blobTurn(paths, layer.digest, stop);
  using _layer = target && (await layerTurn(paths, target.mapping, target.diffId, stop));
  const done =
    target && missingLayers(layersFolder(paths, target.mapping), [target.diffId], otherFolders(paths, target.mapping)).length === 0;
  if (!keepBlob(paths, layer)) await fetchParts(registry, layer, options, known, stop);
  await fetchInTurn(registry, layer, done ? undefined : target, options, stop);
}

/** What a partial pull brings is checked like everything else; where it fails, the whole is fetched as if nothing had been. */
async function fetchParts(
  registry: Registry,
  layer: Descriptor,
  { paths, progress }: PullOptions,
  known: Known,
  stop: AbortSignal,
): Promise<void> {
  try {
    const stretches = await planPartial(paths, registry, layer, known, stop);
    if (stretches !== undefined) await addBlob(paths, layer, counted(assemble(registry, layer, stretches, stop), layer, progress, stop));
  } catch (cause) {
    stop.throwIfAborted();
    if (!(cause instanceof RootlessError)) throw cause;
  }
}

async function fetchInTurn(
  registry: Registry,
  layer: Descriptor,
  target: Target | undefined,
  { paths, progress }: PullOptions,
  stop: AbortSignal,
): Promise<void> {
  const stored = keepBlob(paths, layer);
  if (stored && target === undefined) return progress?.({ kind: 'download', digest: layer.digest, done: layer.size, total: layer.size });
  const unpacking = target && startUnpack(paths, target.mapping, target.diffId, stored ? readableBlob(paths, layer.digest) : undefined);
  try {
    if (!stored) await addBlob(paths, layer, counted(registry.blob(layer, stop), layer, progress, stop), unpacking?.write);
    await finish(unpacking, layer, progress, stop);
  } catch (cause) {
    await unpacking?.discard();
    // The blob is there and whole: when all are, it is seen which ids the image needs.
    if (!isUnmapped(cause)) throw cause;
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
