/** The image store as it is read: an OCI image layout in $DATA/images (image-spec, image-layout.md). */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { type ImageConfig, parseConfig } from './config.ts';
import { algorithmOf, type Digest, hexOf, parseDigest } from './digest.ts';
import { list, parseJson } from './json.ts';
import { type Descriptor, type Manifest, parseDescriptor, parseManifest } from './manifest.ts';
import { choosePlatform, distance, hostPlatform, type Platform } from './platform.ts';
import { familiarName, parseReference, type RegistryReference } from './reference.ts';

/** One entry of index.json: an image of one platform under one name. */
export type StoredImage = {
  /** Canonical: `docker.io/library/alpine:latest`. */
  readonly name: string;
  /** Of the platform's manifest. */
  readonly manifest: Descriptor;
  /** What the registry calls the whole: the digest of its index, or of the manifest if there is none. */
  readonly source: Digest;
  /** Digest of the configuration: docker's image id. */
  readonly id: Digest;
};

/** What `rootless images` shows. */
export type ImageFacts = {
  /** As people type it: `alpine`, `localhost:5000/x`. */
  readonly repository: string;
  /** `<none>` when pulled by digest. */
  readonly tag: string;
  readonly id: Digest;
  readonly digest: Digest;
  readonly platform: Platform;
  /** RFC 3339, or undefined. */
  readonly created: string | undefined;
  /** Bytes of the compressed layers, the configuration and the manifest. */
  readonly size: number;
};

export const annotations = {
  name: 'org.opencontainers.image.ref.name',
  source: 'io.rootless.image.source',
  id: 'io.rootless.image.id',
} as const;

export function imagesFolder(paths: Paths): string {
  return join(paths.data, 'images');
}

export function indexFile(paths: Paths): string {
  return join(imagesFolder(paths), 'index.json');
}

export function blobFile(paths: Paths, digest: Digest): string {
  return join(imagesFolder(paths), 'blobs', algorithmOf(digest), hexOf(digest));
}

/** Blobs were verified when they were written, so being there with the right size is enough. */
export function hasBlob(paths: Paths, blob: { readonly digest: Digest; readonly size: number }): boolean {
  return statSync(blobFile(paths, blob.digest), { throwIfNoEntry: false })?.size === blob.size;
}

/** All entries; an absent store is empty. @throws RootlessError STORE_INVALID */
export function listImages(paths: Paths): StoredImage[] {
  let text: string;
  try {
    text = readFileSync(indexFile(paths), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return parseJson(text, 'STORE_INVALID', `image store "${indexFile(paths)}"`, (root) =>
    list(root, 'manifests').map(parseDescriptor),
  ).flatMap((manifest) => {
    const name = manifest.annotations[annotations.name];
    const id = parseDigest(manifest.annotations[annotations.id] ?? '');
    const source = parseDigest(manifest.annotations[annotations.source] ?? '') ?? manifest.digest;
    return name === undefined || id === undefined ? [] : [{ name, manifest, source, id }];
  });
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
    return (image.source === digest || image.manifest.digest === digest) && repositoryOf(image.name) === repository;
  });
  return ofPlatform(named, platform);
}

/** docker's short ids: at least 4 hex digits of the image id, and only one image has them. */
export function findById(images: readonly StoredImage[], text: string): StoredImage | undefined {
  const hex = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1];
  if (hex === undefined) return undefined;
  const found = images.filter(({ id }) => hexOf(id).startsWith(hex));
  return new Set(found.map(({ id }) => id)).size === 1 ? found[0] : undefined;
}

/** @throws the file's ENOENT when a blob was lost */
export function readImage(paths: Paths, image: StoredImage): { readonly manifest: Manifest; readonly config: ImageConfig } {
  return { manifest: readManifest(paths, image), config: readConfig(paths, image) };
}

export function readManifest(paths: Paths, image: StoredImage): Manifest {
  const manifest = parseManifest(readFileSync(blobFile(paths, image.manifest.digest)), image.name);
  if (manifest.kind === 'manifest') return manifest;
  throw new RootlessError({ code: 'STORE_INVALID', message: `image store "${indexFile(paths)}" lists an index as "${image.name}"` });
}

export function readConfig(paths: Paths, image: StoredImage): ImageConfig {
  return parseConfig(readFileSync(blobFile(paths, image.id)), image.name);
}

/** Facts of every stored image, in the order in which they were pulled. Images with a lost blob are left out. */
export function imageFacts(paths: Paths): ImageFacts[] {
  return listImages(paths).flatMap((image) => {
    try {
      const { manifest, config } = readImage(paths, image);
      const reference = parseReference(image.name);
      const size = manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size + image.manifest.size);
      return [
        {
          repository: familiarName(reference),
          tag: reference.tag ?? '<none>',
          id: image.id,
          digest: image.source,
          platform: config.platform,
          created: config.created,
          size,
        },
      ];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
}

function ofPlatform(images: readonly StoredImage[], platform: Platform | undefined): StoredImage | undefined {
  const candidates = images.map((image) => ({ image, platform: image.manifest.platform }));
  const fits = (wanted: Platform) => candidates.filter((one) => one.platform !== undefined && distance(wanted, one.platform) !== undefined);
  const wanted = platform ?? hostPlatform();
  const fitting = fits(wanted);
  if (fitting.length > 0) return choosePlatform(fitting, wanted, '').image;
  return platform === undefined ? images[0] : undefined;
}

function repositoryOf(name: string): string {
  const { registry, repository } = parseReference(name);
  return `${registry}/${repository}`;
}
