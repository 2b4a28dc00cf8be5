/** Manifests and indexes that name what was really sent, when layers changed their form on the way. Pure. */

import { type Descriptor, mediaTypes } from './manifest.ts';
import type { Expected } from './digest.ts';
import type { Progress } from './progress.ts';

/** A blob as it is sent: perhaps another one than the image has. */
export type Converted = Expected & {
  readonly mediaType: string;
  /** Its bytes from an offset on. */
  open(from: number): AsyncIterable<Uint8Array>;
};

/** Undefined leaves the layer as it is. */
export type ConvertLayers = (layer: Descriptor, progress: Progress | undefined, stop: AbortSignal) => Promise<Converted | undefined>;

type Json = Record<string, unknown>;

/** The same bytes where nothing was converted: a digest must not change for nothing. */
export function rewriteManifest(bytes: Uint8Array, converted: readonly (Converted | undefined)[]): Uint8Array {
  if (converted.every((layer) => layer === undefined)) return bytes;
  const document = JSON.parse(Buffer.from(bytes).toString('utf8')) as Json & { readonly layers: readonly Json[]; readonly config: Json };
  const layers = document.layers.map((layer, index) => patched(layer, converted[index]));
  const fits = layers.every((layer) => layer['mediaType'] !== `${ociLayer}+zstd`);
  if (fits || document['mediaType'] !== mediaTypes.dockerManifest) return Buffer.from(JSON.stringify({ ...document, layers }));
  // Docker's schema 2 has no name for zstd.
  const config = { ...document.config, mediaType: 'application/vnd.oci.image.config.v1+json' };
  const renamed = layers.map((layer) => ({ ...layer, mediaType: ociName(String(layer['mediaType'])) }));
  return Buffer.from(JSON.stringify({ ...document, mediaType: mediaTypes.ociManifest, config, layers: renamed }));
}

/** Entries take the digests of what was pushed for them. */
export function rewriteIndex(bytes: Uint8Array, pushed: readonly (Expected & { readonly mediaType: string })[]): Uint8Array {
  const document = JSON.parse(Buffer.from(bytes).toString('utf8')) as Json & { readonly manifests: readonly Json[] };
  if (document.manifests.every(({ digest }, index) => digest === pushed[index]?.digest)) return bytes;
  const manifests = document.manifests.map((entry, index) => patched(entry, pushed[index]));
  const docker = document['mediaType'] === mediaTypes.dockerList && manifests.some(({ mediaType }) => mediaType === mediaTypes.ociManifest);
  return Buffer.from(JSON.stringify({ ...document, ...(docker && { mediaType: mediaTypes.ociIndex }), manifests }));
}

function patched(entry: Json, now: (Expected & { readonly mediaType: string }) | undefined): Json {
  return now === undefined ? entry : { ...entry, mediaType: now.mediaType, digest: now.digest, size: now.size };
}

const ociLayer = 'application/vnd.oci.image.layer.v1.tar';
const dockerLayer = 'application/vnd.docker.image.rootfs.diff.tar';

export type Compression = 'gzip' | 'zstd';

/** How a layer is compressed, by its media type; undefined is not at all. */
export function compressionOf(mediaType: string): Compression | undefined {
  if (/[.+]gzip$/.test(mediaType)) return 'gzip';
  return /[.+]zstd$/.test(mediaType) ? 'zstd' : undefined;
}

/** The media type of a layer in another compression; docker's has no zstd. */
export function recompressedType(mediaType: string, to: Compression): string {
  if (to === 'gzip' && mediaType.startsWith(dockerLayer)) return `${dockerLayer}.gzip`;
  return `${ociLayer}+${to}`;
}

function ociName(mediaType: string): string {
  if (!mediaType.startsWith(dockerLayer)) return mediaType;
  const compression = compressionOf(mediaType);
  return compression === undefined ? ociLayer : `${ociLayer}+${compression}`;
}
