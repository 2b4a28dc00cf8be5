/** Images that lie in the file system: OCI layouts as folder or archive, and what `docker save` writes. */

import { RootlessError } from '../errors.ts';
import { configLimit, type ImageConfig, parseConfig } from './config.ts';
import { checkBytes, type Digest, digestOf, type Expected, parseDigest, verified } from './digest.ts';
import { archiveFiles, folderFiles, type ImageFiles } from './files.ts';
import { parseJson, requiredText } from './json.ts';
import { type Descriptor, images, type Index, type Manifest, manifestLimit, parseManifest } from './manifest.ts';
import { choosePlatform, distance, hostPlatform, type Platform, platformNotFound } from './platform.ts';
import type { ImageSource } from './reference.ts';
import { readSaved, readSavedConfig } from './saved.ts';
import { readTarIndex } from './tar-index.ts';

export type ArchiveSource = Extract<ImageSource, { readonly file: string }>;
export type LocalSource = ArchiveSource | Extract<ImageSource, { readonly kind: 'oci' }>;

/** A layer and where its bytes are; the digest of the blob is unknown in docker's archives. */
export type LocalLayer = {
  readonly diffId: Digest;
  readonly blob: Expected | undefined;
  /** Bytes as stored. */
  readonly size: number;
  /** Verified against `blob`. */
  open(): AsyncIterable<Uint8Array>;
};

export type LocalImage = { readonly id: Digest; readonly config: ImageConfig; readonly layers: readonly LocalLayer[] };

export type LocalOptions = {
  readonly platform?: Platform | undefined;
  /** The product's own image, made by the same build: no hashing on the way of a warm start. */
  readonly trusted?: boolean;
};

/** @throws RootlessError ARCHIVE_…, LAYOUT_…, MANIFEST_INVALID, DIGEST_MISMATCH, TAG_NOT_FOUND, PLATFORM_NOT_FOUND */
export function openLocal(source: LocalSource, options: LocalOptions = {}): LocalImage {
  if (source.kind === 'oci') return openLayout(folderFiles(source.dir, `oci:${source.dir}`), source.tag, options);
  const shown = `${source.kind}:${source.file}`;
  const files = archiveFiles(source.file, readTarIndex(source.file, shown), shown);
  return source.kind === 'oci-archive' ? openLayout(files, source.tag, options) : openSaved(files, source.tag, options);
}

function openLayout(files: ImageFiles, tag: string | undefined, { platform, trusted = false }: LocalOptions): LocalImage {
  const read = (blob: Descriptor, limit: number) => {
    const bytes = files.read(blobName(blob.digest), limit);
    if (!trusted) checkBytes(bytes, blob);
    return bytes;
  };
  checkLayout(files);
  let found: Manifest | Index = parseManifest(files.read('index.json', manifestLimit), files.shown);
  if (found.kind === 'manifest') throw invalid(files.shown, 'its index.json is not an index');
  found = { kind: 'index', manifests: chooseTag(found, tag, files.shown) };
  for (let depth = 0; found.kind === 'index'; depth += 1) {
    if (depth > 4) throw invalid(files.shown, 'its index is nested too deeply');
    const offered: readonly Descriptor[] = images(found);
    const chosen: Descriptor | undefined =
      offered.length === 1 ? offered[0] : choosePlatform(offered, platform ?? hostPlatform(), files.shown);
    if (chosen === undefined) throw invalid(files.shown, 'its index is empty');
    found = parseManifest(read(chosen, manifestLimit), files.shown);
  }
  const manifest = found;
  const config = parseConfig(read(manifest.config, configLimit), files.shown);
  checkImage(files.shown, config, manifest.layers.length, platform);
  const layers = manifest.layers.map((blob, index) => ({
    diffId: config.diffIds[index] ?? blob.digest,
    blob,
    size: blob.size,
    open: () => verified(files.stream(blobName(blob.digest)), blob),
  }));
  return { id: manifest.config.digest, config, layers };
}

/** @throws RootlessError LAYOUT_INVALID */
export function checkLayout(files: ImageFiles): void {
  const version = parseJson(files.read('oci-layout', 4096), 'LAYOUT_INVALID', `"${files.shown}"`, (root) =>
    requiredText(root, 'imageLayoutVersion'),
  );
  if (version !== '1.0.0') throw invalid(files.shown, `its layout has version "${version}"`);
}

/** Names are in an annotation; skopeo and docker write the short or the whole form. Without TAG there must be one image. */
function chooseTag({ manifests }: Index, tag: string | undefined, shown: string): readonly Descriptor[] {
  const nameOf = ({ annotations }: Descriptor) => annotations['org.opencontainers.image.ref.name'];
  const fullNameOf = ({ annotations }: Descriptor) => annotations['io.containerd.image.name'];
  const names = [...new Set(manifests.map(nameOf))];
  if (tag !== undefined) {
    const tagged = manifests.filter((descriptor) => nameOf(descriptor) === tag || fullNameOf(descriptor) === tag);
    if (tagged.length > 0) return tagged;
    throw tagNotFound(shown, tag, names);
  }
  if (names.length <= 1) return manifests;
  const latest = manifests.filter((descriptor) => nameOf(descriptor) === 'latest');
  if (latest.length > 0) return latest;
  throw ambiguous(shown, names);
}

/** Of several images in one archive of docker's, the one that is named. */
function openSaved(files: ImageFiles, tag: string | undefined, { platform }: LocalOptions): LocalImage {
  const saved = readSaved(files);
  const names = saved.flatMap(({ tags }) => tags);
  const chosen =
    tag === undefined
      ? saved
      : saved.filter(({ tags }) => tags.some((name) => name === tag || name === `${tag}:latest` || name.endsWith(`/${tag}`)));
  const [image] = chosen;
  if (image === undefined) throw tag === undefined ? invalid(files.shown, 'it holds no image') : tagNotFound(files.shown, tag, names);
  if (tag === undefined && chosen.length > 1) throw ambiguous(files.shown, names);
  const bytes = readSavedConfig(files, image.config);
  const id = digestOf(bytes);
  const config = parseConfig(bytes, files.shown);
  checkImage(files.shown, config, image.layers.length, platform);
  const layers = image.layers.map((name, index) => openSavedLayer(files, name, config.diffIds[index]));
  return { id, config, layers };
}

/** Layers lie uncompressed, so the diffID, which the helper checks, covers all; blobs/sha256/HEX names a digest as well. */
function openSavedLayer(files: ImageFiles, name: string, diffId: Digest | undefined): LocalLayer {
  const size = files.size(name);
  if (size === undefined || diffId === undefined) files.read(name, 0);
  const digest = parseDigest(name.replace(/^blobs\/(sha256|sha512)\//, '$1:'));
  const blob = digest === undefined || size === undefined ? undefined : { digest, size };
  return {
    diffId: diffId ?? digestOf(Buffer.alloc(0)),
    blob,
    size: size ?? 0,
    open: () => (blob === undefined ? files.stream(name) : verified(files.stream(name), blob)),
  };
}

function checkImage(shown: string, config: ImageConfig, layers: number, platform: Platform | undefined): void {
  if (config.diffIds.length !== layers)
    throw invalid(shown, `its manifest has ${layers} layers, its configuration ${config.diffIds.length}`);
  if (platform !== undefined && distance(platform, config.platform) === undefined)
    throw platformNotFound(platform, [config.platform], shown);
}

/** Where a layout keeps a blob. */
export function blobName(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}

export function tagNotFound(shown: string, tag: string, names: readonly (string | undefined)[]): RootlessError {
  const known = names.filter((name) => name !== undefined);
  return new RootlessError({
    code: 'TAG_NOT_FOUND',
    message: `"${shown}" has no image "${tag}"`,
    why: known.length === 0 ? 'its images have no names' : `it has ${known.join(', ')}`,
  });
}

export function ambiguous(shown: string, names: readonly (string | undefined)[]): RootlessError {
  const known = names.filter((name) => name !== undefined);
  return new RootlessError({
    code: 'TAG_MISSING',
    message: `"${shown}" holds several images`,
    why: `say which: ${known.join(', ')}`,
    fix: `${shown}:${known[0]}`,
  });
}

export function invalid(shown: string, why: string): RootlessError {
  return new RootlessError({ code: 'LAYOUT_INVALID', message: `"${shown}" is not a whole image`, why });
}
