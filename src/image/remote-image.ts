/** What a name in a registry stands for on one platform: through indexes to a manifest and its configuration, all verified. */

import { readFileSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { addBytes, keepBlob } from './blobs.ts';
import { configLimit, type ImageConfig, parseConfig } from './config.ts';
import { checkBytes, type Digest, digestOf } from './digest.ts';
import { type Descriptor, images, type Manifest, mediaTypes, parseManifest } from './manifest.ts';
import { choosePlatform, distance, hostPlatform, normalize, type Platform, platformNotFound } from './platform.ts';
import type { RegistryReference } from './reference.ts';
import type { Registry } from './registry.ts';
import { readableBlob } from './store.ts';
import { blobTurn } from './turns.ts';

/** What a name in a registry stands for, for one platform. */
export type Found = {
  readonly source: Digest;
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
};

/** An index may list indexes; more than this deep is no image but a trap. */
const deepest = 4;

export async function findManifest(registry: Registry, reference: RegistryReference, platform: Platform | undefined): Promise<Found> {
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

export async function fetchConfig(
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
  const bytes = await configBytes(registry, config, paths);
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

async function configBytes(registry: Registry, config: Descriptor, paths: Paths): Promise<Buffer> {
  const stored = () => readFileSync(readableBlob(paths, config.digest));
  if (keepBlob(paths, config)) return stored();
  using _turn = await blobTurn(paths, config.digest);
  if (keepBlob(paths, config)) return stored();
  const bytes = await collect(registry.blob(config));
  addBytes(paths, config, bytes);
  return bytes;
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** An index is chosen from; a lone manifest is taken as it is, unless something else was asked for. */
export function checkPlatform(reference: RegistryReference, { platform }: ImageConfig, asked: Platform | undefined): void {
  if (asked === undefined || distance(asked, platform) !== undefined) return;
  throw platformNotFound(asked, [normalize(platform.os, platform.architecture, platform.variant)], reference.name);
}
