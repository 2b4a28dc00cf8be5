/** Manifests in the words of the OCI or of docker's schema 2: other media types, another digest, the same blobs. */

import type { BlobSource } from './blob-source.ts';
import { RootlessError } from '../errors.ts';
import { digestOf } from './digest.ts';
import { mediaTypes, parseContents } from './manifest.ts';

export type ManifestFormat = 'oci' | 'docker';

const pairs: readonly (readonly [oci: string, docker: string])[] = [
  [mediaTypes.ociManifest, mediaTypes.dockerManifest],
  [mediaTypes.ociIndex, mediaTypes.dockerList],
  ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'application/vnd.docker.image.rootfs.diff.tar.gzip'],
  ['application/vnd.oci.image.layer.v1.tar', 'application/vnd.docker.image.rootfs.diff.tar'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'],
];

type Json = Record<string, unknown>;

/** The source with its one manifest in the other words; unchanged, digest and all, where it has them already. @throws RootlessError FORMAT_IMPOSSIBLE */
export function inFormat(source: BlobSource, format: ManifestFormat, shown: string): BlobSource {
  const { kind, mediaType, config } = parseContents(source.root, shown);
  const wanted = pairs.map(([oci, docker]) => (format === 'oci' ? oci : docker));
  if (kind === 'index' || config === undefined || (wanted.includes(mediaType) && wanted.includes(config.mediaType))) return source;
  const document = JSON.parse(Buffer.from(source.root).toString('utf8')) as Json & {
    readonly config: Json;
    readonly layers: readonly Json[];
  };
  const rename = (type: unknown) => renamed(String(type), format, shown);
  const root = Buffer.from(
    JSON.stringify({
      ...document,
      mediaType: rename(mediaType),
      config: { ...document.config, mediaType: rename(config.mediaType) },
      layers: document.layers.map((layer) => ({ ...layer, mediaType: rename(layer['mediaType']) })),
    }),
  );
  return { ...source, root, mediaType: rename(mediaType) };
}

function renamed(type: string, format: ManifestFormat, shown: string): string {
  const pair = pairs.find((one) => one.includes(type));
  if (pair !== undefined) return format === 'oci' ? pair[0] : pair[1];
  if (format === 'oci') return type;
  throw new RootlessError({
    code: 'FORMAT_IMPOSSIBLE',
    message: `cannot write "${shown}" as docker's schema 2`,
    why: `that format has no "${type}"`,
    fix: '--format oci',
  });
}

/** A manifest alone, for what takes one platform. */
export function onlyManifest(source: BlobSource, bytes: Uint8Array, mediaType: string): BlobSource {
  return digestOf(bytes) === digestOf(source.root) ? source : { ...source, root: bytes, mediaType };
}
