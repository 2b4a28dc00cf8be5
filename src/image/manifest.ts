/** The one parser of image manifests and indexes: OCI, and docker's schema 2. */

import { RootlessError } from '../errors.ts';
import { type Digest, parseDigest } from './digest.ts';
import {
  type Fields,
  has,
  list,
  object,
  optionalCount,
  optionalObject,
  optionalText,
  parseJson,
  requiredObject,
  requiredText,
  textMap,
  wrong,
} from './json.ts';
import { normalize, type Platform } from './platform.ts';

export type Descriptor = {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform: Platform | undefined;
  readonly annotations: Readonly<Record<string, string>>;
};

export type Manifest = {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
};
export type Index = { readonly kind: 'index'; readonly manifests: readonly Descriptor[] };

/** The same limit as containerd and distribution: what is larger is not a manifest. */
export const manifestLimit = 4 * 1024 * 1024;

export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

const imageConfigs = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
  'application/octet-stream',
];

/**
 * Parses a manifest or an index; which of the two is decided by its fields, and a mediaType that says otherwise is refused.
 * @throws RootlessError MANIFEST_INVALID, MANIFEST_TOO_LARGE, SCHEMA1_UNSUPPORTED, IMAGE_UNSUPPORTED
 */
export function parseManifest(bytes: Uint8Array, image: string): Manifest | Index {
  return parseDocument(bytes, image, (root, isIndex) => (isIndex ? readIndex(root) : readManifest(root, image)));
}

function parseDocument<T>(bytes: Uint8Array, image: string, read: (root: Fields, isIndex: boolean) => T): T {
  if (bytes.length > manifestLimit) throw manifestTooLarge(image);
  return parseJson(bytes, 'MANIFEST_INVALID', `manifest of "${image}"`, (root) => {
    const version = optionalCount(root, 'schemaVersion');
    if (version === 1) throw schema1(image);
    if (version !== 2) wrong('/schemaVersion', 'is not 2');
    const isIndex = has(root, 'manifests');
    if (isIndex && (has(root, 'layers') || has(root, 'config'))) wrong('/', 'is both an index and a manifest');
    checkType(optionalText(root, 'mediaType'), isIndex);
    return read(root, isIndex);
  });
}

/** What a document refers to, whatever kind of artifact it is: enough to copy it, not to run it. */
export type Contents = {
  readonly kind: 'index' | 'manifest';
  readonly mediaType: string;
  /** The manifests of an index. */
  readonly manifests: readonly Descriptor[];
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  /** What the artifact is about (image-spec, manifest.md "subject"). */
  readonly subject: Descriptor | undefined;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
};

/** @throws RootlessError MANIFEST_INVALID, MANIFEST_TOO_LARGE, SCHEMA1_UNSUPPORTED */
export function parseContents(bytes: Uint8Array, image: string): Contents {
  return parseDocument(bytes, image, (root, isIndex) => {
    const descriptor = (key: string) => {
      const from = optionalObject(root, key);
      return from === undefined ? undefined : parseDescriptor(from);
    };
    return {
      kind: isIndex ? 'index' : 'manifest',
      mediaType: optionalText(root, 'mediaType') ?? (isIndex ? mediaTypes.ociIndex : mediaTypes.ociManifest),
      manifests: isIndex ? list(root, 'manifests').map(parseDescriptor) : [],
      config: descriptor('config'),
      layers: list(root, 'layers').map(parseDescriptor),
      subject: descriptor('subject'),
      artifactType: optionalText(root, 'artifactType'),
      annotations: textMap(root, 'annotations'),
    };
  });
}

export function parseDescriptor({ value, at }: { readonly value: unknown; readonly at: string }): Descriptor {
  const from = object(value, at);
  const digest = parseDigest(requiredText(from, 'digest')) ?? wrong(`${at}/digest`, 'is not a sha256 or sha512 digest');
  const size = optionalCount(from, 'size') ?? wrong(`${at}/size`, 'is missing');
  const platform = optionalObject(from, 'platform');
  return {
    mediaType: requiredText(from, 'mediaType'),
    digest,
    size,
    platform: platform === undefined ? undefined : readPlatform(platform),
    annotations: textMap(from, 'annotations'),
  };
}

export function manifestTooLarge(image: string): RootlessError {
  return new RootlessError({
    code: 'MANIFEST_TOO_LARGE',
    message: `manifest of "${image}" is too large`,
    why: 'a manifest has at most 4 MiB',
  });
}

/** The platforms to choose from: attestations and other things that are no images (platform "unknown") are left out. */
export function images(index: Index): readonly Descriptor[] {
  return index.manifests.filter(({ annotations }) => annotations['vnd.docker.reference.type'] !== 'attestation-manifest');
}

function readIndex(root: Fields): Index {
  return { kind: 'index', manifests: list(root, 'manifests').map(parseDescriptor) };
}

function readManifest(root: Fields, image: string): Manifest {
  const config = parseDescriptor({ ...requiredObject(root, 'config') });
  if (!imageConfigs.includes(config.mediaType)) throw notAnImage(image, config.mediaType);
  const layers = list(root, 'layers').map(parseDescriptor);
  const odd = layers.find(({ mediaType }) => !/(?:tar|tar[.+]gzip|tar[.+]zstd)$/.test(mediaType));
  if (odd !== undefined) throw notAnImage(image, odd.mediaType);
  return { kind: 'manifest', mediaType: optionalText(root, 'mediaType') ?? mediaTypes.ociManifest, config, layers };
}

function readPlatform(from: Fields): Platform {
  return normalize(requiredText(from, 'os'), requiredText(from, 'architecture'), optionalText(from, 'variant'));
}

/** A document that one client reads as an index and another as a manifest is an attack (CVE-2021-41190). */
function checkType(mediaType: string | undefined, isIndex: boolean): void {
  const indexes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerList];
  const manifests: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest];
  if (mediaType === undefined || (isIndex ? indexes : manifests).includes(mediaType)) return;
  wrong('/mediaType', `is "${mediaType}", which does not fit the fields of ${isIndex ? 'an index' : 'a manifest'}`);
}

function schema1(image: string): RootlessError {
  return new RootlessError({
    code: 'SCHEMA1_UNSUPPORTED',
    message: `image "${image}" has a manifest of docker's schema 1`,
    why: 'that format was retired in 2017: its layers cannot be verified',
    fix: 'push the image again with a current client',
  });
}

function notAnImage(image: string, mediaType: string): RootlessError {
  return new RootlessError({
    code: 'IMAGE_UNSUPPORTED',
    message: `"${image}" is not a container image that can be run`,
    why: `it holds "${mediaType}"`,
  });
}
