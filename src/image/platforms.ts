/** The images of one source: a manifest is one, an index has one for each platform. */

import { RootlessError } from '../errors.ts';
import type { BlobSource } from './blob-source.ts';
import { configLimit, type ImageConfig, parseConfig } from './config.ts';
import { checkBytes, digestOf, type Expected } from './digest.ts';
import { type Descriptor, images, type Manifest, manifestLimit, manifestTooLarge, parseManifest } from './manifest.ts';
import { choosePlatform, distance, hostPlatform, type Platform, platformNotFound } from './platform.ts';

/** One image, its two documents verified. */
export type PlatformImage = {
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
};

/** One of them, the best for this machine where none is asked for; `present`: all that are there. */
export type Choice = { readonly platform: Platform | undefined } | { readonly present: (blob: Expected) => boolean };

/** An index may list indexes; more than this deep is no image but a trap. */
const deepest = 4;

/** @throws RootlessError MANIFEST_INVALID, CONFIG_INVALID, PLATFORM_NOT_FOUND, DIGEST_MISMATCH, IMAGE_UNSUPPORTED */
export async function platformImages(source: BlobSource, shown: string, choice: Choice): Promise<PlatformImage[]> {
  const digest = digestOf(source.root);
  const descriptor = { mediaType: source.mediaType, digest, size: source.root.length, platform: undefined, annotations: {} };
  const found = await descend(source, descriptor, source.root, shown, choice, 0);
  const wanted = 'platform' in choice ? choice.platform : undefined;
  const alien = found.find(({ config }) => wanted !== undefined && distance(wanted, config.platform) === undefined);
  if (wanted !== undefined && alien !== undefined) throw platformNotFound(wanted, [alien.config.platform], shown);
  return found;
}

async function descend(
  source: BlobSource,
  descriptor: Descriptor,
  bytes: Uint8Array,
  shown: string,
  choice: Choice,
  depth: number,
): Promise<PlatformImage[]> {
  const document = parseManifest(bytes, shown);
  if (document.kind === 'manifest') return [await whole(source, descriptor, bytes, document, shown)];
  if (depth === deepest) throw new RootlessError({ code: 'MANIFEST_INVALID', message: `index of "${shown}" is nested too deeply` });
  const offered = images(document).filter(({ platform }) => platform?.os !== 'unknown');
  const chosen = 'present' in choice ? offered.filter(choice.present) : [choosePlatform(offered, choice.platform ?? hostPlatform(), shown)];
  if (chosen.length === 0)
    throw new RootlessError({ code: 'LAYOUT_INVALID', message: `"${shown}" is not a whole image`, why: 'its index is empty' });
  const found: PlatformImage[] = [];
  for (const entry of chosen) {
    if (entry.size > manifestLimit) throw manifestTooLarge(shown);
    const inner = await readAll(source, entry);
    found.push(...(await descend(source, entry, inner, shown, choice, depth + 1)));
  }
  return found;
}

async function whole(
  source: BlobSource,
  descriptor: Descriptor,
  bytes: Uint8Array,
  manifest: Manifest,
  shown: string,
): Promise<PlatformImage> {
  const { size } = manifest.config;
  if (size > configLimit)
    throw new RootlessError({
      code: 'MANIFEST_TOO_LARGE',
      message: `configuration of "${shown}" is too large`,
      why: `it has ${size} bytes`,
    });
  const configBytes = await readAll(source, manifest.config);
  const config = parseConfig(configBytes, shown);
  const [layers, diffIds] = [manifest.layers.length, config.diffIds.length];
  if (layers !== diffIds) {
    throw new RootlessError({
      code: 'CONFIG_INVALID',
      message: `image "${shown}" contradicts itself`,
      why: `its manifest has ${layers} layers, its configuration ${diffIds}`,
    });
  }
  return { descriptor: { ...descriptor, mediaType: manifest.mediaType }, bytes, manifest, config, configBytes };
}

/** A small document, checked; more than its descriptor says is not read. */
async function readAll(source: BlobSource, blob: Expected): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source.open(blob, 0)) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > blob.size) break;
  }
  const bytes = Buffer.concat(chunks);
  checkBytes(bytes, blob);
  return bytes;
}
