/** From what the user named to what can be run. A warm start comes through here: few small synchronous reads, no network code. */

import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { type ArchiveSource, type LocalSource, openLocal } from './archive.ts';
import type { ImageConfig } from './config.ts';
import type { Digest } from './digest.ts';
import type { LayerOrigin } from './ensure.ts';
import type { Widen } from './fit-layers.ts';
import { type LayerMapping, type LayerStack, layersFolder, missingLayers, otherFolders, stackOf } from './layers.ts';
import type { Platform } from './platform.ts';
import type { Progress } from './progress.ts';
import { type ImageSource, isId, type RegistryReference } from './reference.ts';
import { findById, findImage, imagesFolder, listImages, readableBlob, readConfig, readManifest, type StoredImage } from './store.ts';

export type LayeredImage = {
  readonly kind: 'layers';
  /** Digest of the configuration. */
  readonly id: Digest;
  /** Canonical name; undefined for images that are not in the store. */
  readonly reference: string | undefined;
  readonly config: ImageConfig;
  readonly diffIds: readonly Digest[];
  /** The unpacked layers; present exactly when a mapping was given. */
  readonly layers: LayerStack | undefined;
  /** What they are unpacked for: the mapping that was given, or a wider one. */
  readonly mapping: LayerMapping | undefined;
};

export type Image = LayeredImage | { readonly kind: 'rootfs'; readonly dir: string } | { readonly kind: 'host' };

export type PullPolicy = 'missing' | 'always' | 'never';

export type ResolveOptions = {
  readonly paths: Paths;
  readonly platform?: Platform | undefined;
  readonly pull: PullPolicy;
  /** undefined: HTTPS, and docker's exception for loopback. */
  readonly tlsVerify?: boolean | undefined;
  /** With it, all layers are unpacked when this returns. */
  readonly mapping?: LayerMapping | undefined;
  /** Where owners of files are not in it. */
  readonly widen?: Widen | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** @throws RootlessError IMAGE_NOT_FOUND, ROOTFS_NOT_FOUND, and what pulling, reading and unpacking throw */
export async function resolveImage(source: ImageSource, options: ResolveOptions): Promise<Image> {
  switch (source.kind) {
    case 'host':
      return { kind: 'host' };
    case 'rootfs':
      return { kind: 'rootfs', dir: rootfsFolder(source.dir) };
    case 'embedded':
      return resolveEmbedded(source.name, options);
    case 'registry':
      return resolveReference(source, options);
    case 'oci':
      return resolveLocal(source, options, false);
    default:
      return resolveArchive(source, options);
  }
}

async function resolveReference(reference: RegistryReference, options: ResolveOptions): Promise<LayeredImage> {
  const { paths, pull: policy } = options;
  const byId = isId(reference.typed ?? '');
  const stored =
    policy === 'always' && !byId ? undefined : (findStored(paths, reference, options.platform) ?? (await findShort(reference, options)));
  const known = stored && (await useStored(stored, options));
  if (known !== undefined) return known;
  if (byId) throw noSuchId(reference);
  if (policy === 'never') throw notPulled(reference);
  const { pull } = await import('./transfer.ts');
  // Somebody may remove it between the pull and its use.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const pulled = await useStored(await pull(reference, options).catch((cause) => absent(reference, policy, cause)), options);
    if (pulled !== undefined) return pulled;
  }
  throw new RootlessError({
    code: 'IMAGE_INCOMPLETE',
    message: `image "${reference.name}" is not whole`,
    why: 'it was pulled three times, and each time something removed it',
  });
}

function findStored(paths: Paths, reference: RegistryReference, platform: Platform | undefined): StoredImage | undefined {
  const images = listImages(paths);
  return findImage(images, reference, platform) ?? (reference.typed === undefined ? undefined : findById(images, reference.typed));
}

/** A name without a registry is in the store under the name that registries.conf makes of it. */
async function findShort(reference: RegistryReference, { paths, platform }: ResolveOptions): Promise<StoredImage | undefined> {
  if (reference.short === undefined) return undefined;
  const { fullNames } = await import('./short-names.ts');
  const images = listImages(paths);
  return fullNames(reference, paths.registry)
    .map((full) => findImage(images, full, platform))
    .find((image) => image !== undefined);
}

/** Undefined when something of it was lost: then it counts as not pulled. The manifest is read only if layers are missing. */
async function useStored(image: StoredImage, options: ResolveOptions): Promise<LayeredImage | undefined> {
  try {
    const config = readConfig(options.paths, image);
    return await layered(image.id, image.name, config, () => storedLayers(options.paths, image, config), options);
  } catch (error) {
    if (wasRemoved(options.paths, image)) return undefined;
    throw error;
  }
}

/** Somebody may remove the image while it is being unpacked: the helper then fails at whatever it was doing. */
function wasRemoved(paths: Paths, image: StoredImage): boolean {
  try {
    storedLayers(paths, image, readConfig(paths, image));
    return false;
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' && path?.startsWith(imagesFolder(paths)) === true;
  }
}

/** @throws ENOENT when a blob was lost */
function storedLayers(paths: Paths, image: StoredImage, { diffIds }: ImageConfig): LayerOrigin[] {
  return readManifest(paths, image).layers.map(({ digest, size }, index) => {
    const file = readableBlob(paths, digest);
    statSync(file);
    return { diffId: diffIds[index] ?? digest, size, file };
  });
}

function resolveLocal(source: LocalSource, options: ResolveOptions, trusted: boolean): Promise<LayeredImage> {
  const local = openLocal(source, { platform: options.platform, trusted });
  return layered(local.id, undefined, local.config, () => local.layers, options);
}

async function resolveArchive(source: ArchiveSource, options: ResolveOptions): Promise<LayeredImage> {
  const { compressionOfFile, inflate } = await import('./inflate.ts');
  const kind = compressionOfFile(source.file);
  if (kind === undefined) return resolveLocal(source, options, false);
  using plain = await inflate(options.paths, source.file, kind, `${source.kind}:${source.file}`, options.signal);
  return await resolveLocal({ ...source, file: plain.file }, options, false);
}

function resolveEmbedded(name: string, options: ResolveOptions): Promise<LayeredImage> {
  const dir = join(options.paths.dist, 'images', name);
  if (existsSync(dir)) return resolveLocal({ kind: 'oci', dir, tag: undefined }, options, true);
  throw new RootlessError({
    code: 'IMAGE_NOT_FOUND',
    message: `there is no embedded image "${name}"`,
    why: `there is no folder "${dir}"`,
  });
}

async function layered(
  id: Digest,
  reference: string | undefined,
  config: ImageConfig,
  origins: () => readonly LayerOrigin[],
  { paths, mapping: wanted, widen, progress, signal }: ResolveOptions,
): Promise<LayeredImage> {
  const { diffIds } = config;
  const image = { kind: 'layers', id, reference, config, diffIds } as const;
  if (wanted === undefined) return { ...image, layers: undefined, mapping: undefined };
  let mapping = wanted;
  if (missingLayers(layersFolder(paths, mapping), diffIds, otherFolders(paths, mapping)).length > 0) {
    const { fitLayers } = await import('./fit-layers.ts');
    mapping = await fitLayers(paths, origins, diffIds, { mapping, widen, progress, signal });
  }
  return { ...image, layers: stackOf(layersFolder(paths, mapping), diffIds, otherFolders(paths, mapping)), mapping };
}

function rootfsFolder(dir: string): string {
  const absolute = resolve(dir);
  if (statSync(absolute, { throwIfNoEntry: false })?.isDirectory()) return absolute;
  throw new RootlessError({
    code: 'ROOTFS_NOT_FOUND',
    message: `cannot use "rootfs:${dir}"`,
    why: `there is no folder "${absolute}"`,
  });
}

function noSuchId({ typed }: RegistryReference): RootlessError {
  return new RootlessError({ code: 'IMAGE_NOT_FOUND', message: `no such image: "${typed}"`, fix: '"rootless images" lists them' });
}

/** Offline, or a typing error: both are said. */
function absent(reference: RegistryReference, policy: PullPolicy, cause: unknown): never {
  if (policy === 'always' || !(cause instanceof RootlessError) || cause.code !== 'REGISTRY_UNREACHABLE') throw cause;
  const { code, message, why, fix, exit } = cause;
  throw new RootlessError({
    code,
    message: `image "${reference.name}" is not in the store, and its registry does not answer`,
    why: why === undefined ? message : `${message}: ${why}`,
    fix,
    exit,
    cause,
  });
}

function notPulled(reference: RegistryReference): RootlessError {
  return new RootlessError({
    code: 'IMAGE_NOT_FOUND',
    message: `image "${reference.name}" is not in the store`,
    why: 'pulling was forbidden with --pull never',
    fix: `rootless pull ${reference.name}`,
  });
}
