/** An image with one more layer: its configuration and manifest, written from the base's so that nothing unknown is lost. Pure. */

import { digestOf, type Digest } from './digest.ts';
import type { BaseSource } from './base-source.ts';
import type { BlobSource } from './blob-source.ts';

type Json = Record<string, unknown>;

export type NewLayer = { readonly diffId: Digest; readonly digest: Digest; readonly size: number; readonly mediaType: string };

export type Provenance = {
  /** RFC 3339. */
  readonly created: string;
  readonly createdBy: string;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
};

/** The documents; `open` gives what the base has, the new layer is expected to be in the store. */
export function withLayer(base: BaseSource, layer: NewLayer, config: Json, provenance: Provenance): BlobSource {
  const configBytes = Buffer.from(JSON.stringify(newConfig(base.image.configBytes, layer, config, provenance)));
  const document = JSON.parse(Buffer.from(base.image.bytes).toString('utf8')) as Json & { readonly config: Json; readonly layers: Json[] };
  const configDigest = digestOf(configBytes);
  const { mediaType, digest, size } = layer;
  const manifest = {
    schemaVersion: 2,
    mediaType: base.image.descriptor.mediaType,
    config: { mediaType: document.config['mediaType'], digest: configDigest, size: configBytes.length },
    layers: [...document.layers, { mediaType, digest, size }],
  };
  return {
    root: Buffer.from(JSON.stringify(manifest)),
    mediaType: base.image.descriptor.mediaType,
    open: (blob, from) => (blob.digest === configDigest ? bytes(configBytes.subarray(from)) : base.source.open(blob, from)),
  };
}

function newConfig(baseBytes: Uint8Array, { diffId }: NewLayer, config: Json, provenance: Provenance): Json {
  const base = JSON.parse(Buffer.from(baseBytes).toString('utf8')) as Json;
  // Of the build that made the base, not of this one.
  const { container: _c, container_config: _cc, id: _i, parent: _p, docker_version: _v, comment: _m, ...kept } = base;
  const rootfs = base['rootfs'] as { readonly diff_ids: readonly string[] };
  const history = Array.isArray(base['history']) ? base['history'] : rootfs.diff_ids.map(() => ({}));
  const { created, createdBy, author, comment } = provenance;
  const step = { created, created_by: createdBy, ...(author ? { author } : {}), ...(comment ? { comment } : {}) };
  return {
    ...kept,
    created,
    ...(author ? { author } : {}),
    config,
    rootfs: { type: 'layers', diff_ids: [...rootfs.diff_ids, diffId] },
    history: [...history, step],
  };
}

async function* bytes(all: Uint8Array): AsyncGenerator<Uint8Array> {
  yield all;
}
