/** The image store as it is read: an OCI image layout in $DATA/images (image-spec, image-layout.md). */

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { type ImageConfig, parseConfig } from './config.ts';
import { algorithmOf, type Digest, hexOf, parseDigest } from './digest.ts';
import { list, parseJson } from './json.ts';
import { readQuickly } from './index-entries.ts';
import { type Descriptor, type Manifest, mediaTypes, parseDescriptor, parseManifest } from './manifest.ts';
import { choosePlatform, distance, hostPlatform, type Platform } from './platform.ts';
import { parseReference, type RegistryReference } from './reference.ts';

/** One entry of index.json: an image of one platform under one name. */
export type StoredImage = {
  /** Canonical: `docker.io/library/alpine:latest`, or `…@sha256:…` for one that lost its tag or never had one; undefined has no name at all. */
  readonly name: string | undefined;
  /** Of the platform's manifest. */
  readonly manifest: Descriptor;
  /** What the registry calls the whole: the digest of its index, or of the manifest if there is none. */
  readonly source: Digest;
  /** Digest of the configuration: docker's image id. */
  readonly id: Digest;
  /** What lists show; known since the image was named, so that a list need not open a thousand blobs. */
  readonly brief?: Brief | undefined;
};

export type NamedImage = StoredImage & { readonly name: string };

export type Brief = {
  /** RFC 3339, or undefined. */
  readonly created: string | undefined;
  /** Bytes of the layers as they are stored, the configuration and the manifest. */
  readonly size: number;
};

export const annotations = {
  name: 'org.opencontainers.image.ref.name',
  created: 'org.opencontainers.image.created',
  source: 'io.rootless.image.source',
  id: 'io.rootless.image.id',
  size: 'io.rootless.image.size',
} as const;

export function imagesFolder(paths: Pick<Paths, 'data'>): string {
  return join(paths.data, 'images');
}

export function indexFile(paths: Pick<Paths, 'data'>): string {
  return join(imagesFolder(paths), 'index.json');
}

export function blobFile(paths: Pick<Paths, 'data'>, digest: Digest): string {
  return join(imagesFolder(paths), 'blobs', algorithmOf(digest), hexOf(digest));
}

/** Where a blob can be read: here, or in another store that is read only. */
export function readableBlob(paths: Paths, digest: Digest): string {
  const own = blobFile(paths, digest);
  if (paths.additional.length === 0 || existsSync(own)) return own;
  return paths.additional.map((data) => blobFile({ data }, digest)).find((file) => existsSync(file)) ?? own;
}

/** Blobs were verified when they were written, so being there with the right size is enough. */
export function hasBlob(paths: Paths, blob: { readonly digest: Digest; readonly size: number }): boolean {
  return statSync(readableBlob(paths, blob.digest), { throwIfNoEntry: false })?.size === blob.size;
}

/** What index.json says: images, and documents that list several of them (`rootless manifest create`). */
export type StoreIndex = { readonly images: readonly StoredImage[]; readonly lists: readonly Descriptor[] };

/** All images, of stores that are only read too; an absent store is empty. @throws RootlessError STORE_INVALID */
export function listImages(paths: Paths): readonly StoredImage[] {
  const own = readIndex(paths).images;
  if (paths.additional.length === 0) return own;
  const others = paths.additional.flatMap((data) => readIndex({ data }).images);
  const all = [...own, ...others];
  return all.filter((image, at) => at < own.length || !all.slice(0, at).some((one) => isSame(one, image)));
}

/** What is here hides an image of the same name and platform elsewhere. */
function isSame(one: StoredImage, other: StoredImage): boolean {
  if (one.name !== other.name) return false;
  return one.name === undefined ? one.id === other.id : JSON.stringify(one.manifest.platform) === JSON.stringify(other.manifest.platform);
}

/** @throws RootlessError STORE_INVALID */
export function readIndex(paths: Pick<Paths, 'data'>): StoreIndex {
  let text: string;
  try {
    text = readFileSync(indexFile(paths), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { images: [], lists: [] };
    throw error;
  }
  const entries = readQuickly(text) ?? readSlowly(text, indexFile(paths));
  return { images: entries.flatMap(fromDescriptor), lists: entries.filter(({ mediaType }) => mediaType === mediaTypes.ociIndex) };
}

function readSlowly(text: string, file: string): readonly Descriptor[] {
  try {
    return parseJson(text, 'STORE_INVALID', `image store "${file}"`, (root) => list(root, 'manifests').map(parseDescriptor));
  } catch (error) {
    if (!(error instanceof RootlessError)) throw error;
    const { code, message, why } = error;
    throw new RootlessError({ code, message, why, fix: 'rootless system check --repair' });
  }
}

export function fromDescriptor(manifest: Descriptor): StoredImage[] {
  const own = manifest.annotations;
  const id = parseDigest(own[annotations.id] ?? '');
  if (id === undefined) return [];
  const size = Number(own[annotations.size] ?? Number.NaN);
  const brief = Number.isSafeInteger(size) ? { created: own[annotations.created], size } : undefined;
  return [{ name: own[annotations.name], manifest, source: parseDigest(own[annotations.source] ?? '') ?? manifest.digest, id, brief }];
}

/**
 * The stored image that a reference means. Without `platform` one for this machine is preferred and any other is taken;
 * with it, only one that fits. A digest beats a tag, as everywhere.
 */
export function findImage(images: readonly StoredImage[], reference: RegistryReference, platform?: Platform): StoredImage | undefined {
  const repository = `${reference.registry}/${reference.repository}`;
  const { digest } = reference;
  const named = images.filter((image) => {
    if (digest === undefined) return image.name === reference.name;
    return (
      (image.source === digest || image.manifest.digest === digest) && image.name !== undefined && repositoryOf(image.name) === repository
    );
  });
  return ofPlatform(named, platform);
}

/** docker's short ids: at least 4 hex digits of the image id, and only one image has them. A name of several platforms has several ids. */
export function findById(images: readonly StoredImage[], text: string, platform?: Platform): StoredImage | undefined {
  const hex = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1];
  if (hex === undefined) return undefined;
  const found = images.filter(({ id }) => hexOf(id).startsWith(hex));
  if (new Set(found.map(({ id }) => id)).size !== 1) return undefined;
  return platform === undefined ? found[0] : ofPlatform(found, platform);
}

/** Whether every blob of the image is there. */
export function isWhole(paths: Paths, image: StoredImage): boolean {
  try {
    const { config, layers } = readManifest(paths, image);
    return [config, ...layers].every((blob) => /nondistributable|foreign/.test(blob.mediaType) || hasBlob(paths, blob));
  } catch {
    return false;
  }
}

/** @throws the file's ENOENT when a blob was lost */
export function readImage(paths: Paths, image: StoredImage): { readonly manifest: Manifest; readonly config: ImageConfig } {
  return { manifest: readManifest(paths, image), config: readConfig(paths, image) };
}

export function readManifest(paths: Paths, image: StoredImage): Manifest {
  const manifest = parseManifest(readFileSync(readableBlob(paths, image.manifest.digest)), image.name ?? image.id);
  if (manifest.kind === 'manifest') return manifest;
  throw new RootlessError({
    code: 'STORE_INVALID',
    message: `image store "${indexFile(paths)}" lists an index as "${image.name ?? image.id}"`,
  });
}

export function readConfig(paths: Paths, image: StoredImage): ImageConfig {
  return parseConfig(readFileSync(readableBlob(paths, image.id)), image.name ?? image.id);
}

function ofPlatform(images: readonly StoredImage[], platform: Platform | undefined): StoredImage | undefined {
  const candidates = images.map((image) => ({ image, platform: image.manifest.platform }));
  const fits = (wanted: Platform) => candidates.filter((one) => one.platform !== undefined && distance(wanted, one.platform) !== undefined);
  const wanted = platform ?? hostPlatform();
  const fitting = fits(wanted);
  if (fitting.length > 0) return choosePlatform(fitting, wanted, '').image;
  return platform === undefined ? images[0] : undefined;
}

/** `docker.io/library/alpine`. */
export function repositoryOf(name: string): string {
  const { registry, repository } = parseReference(name);
  return `${registry}/${repository}`;
}
