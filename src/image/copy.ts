/** An image from one place to another, layers as they are: its digest stays unless the target's form asks for other words. */

import type { Paths } from '../paths.ts';
import type { BlobSource } from './blob-source.ts';
import { lease } from './blobs.ts';
import { inFormat, type ManifestFormat, onlyManifest } from './convert.ts';
import { convertIndex } from './convert-index.ts';
import { type Digest, digestOf } from './digest.ts';
import { explainTarget } from './disk.ts';
import { type FileSink, folderSink, tarSink } from './file-sink.ts';
import { parseContents } from './manifest.ts';
import type { Platform } from './platform.ts';
import { platformImages } from './platforms.ts';
import type { Progress } from './progress.ts';
import { pushImage } from './push.ts';
import { parseReference } from './reference.ts';
import type { RegistrySettings } from './session.ts';
import { storeImage } from './store-image.ts';
import { tagName } from './tag.ts';
import { type OpenImage, openTransport, type Transport } from './transport.ts';
import { type Outgoing, writeFolder, writeLayout, writeSaved } from './write-image.ts';

export type CopyOptions = {
  /** Every platform, not only one. */
  readonly all: boolean;
  readonly platform: Platform | undefined;
  /** Of the manifest; undefined leaves it as it is, where the target can have that. */
  readonly format: ManifestFormat | undefined;
  readonly from: RegistrySettings;
  readonly to: RegistrySettings;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** @returns the digest of what is now there. @throws RootlessError of both ends */
export async function copyImage(paths: Paths, from: Transport, to: Transport, options: CopyOptions): Promise<Digest> {
  using _lease = lease(paths);
  using opened = await openTransport(paths, from, { registry: options.from, signal: options.signal });
  const source = await prepare(opened, from.text, to, options);
  await put(paths, source, opened, from, to, options);
  return digestOf(source.root);
}

/** One platform of several, unless all were asked for; then the words that the target wants. */
async function prepare(opened: OpenImage, shown: string, to: Transport, options: CopyOptions): Promise<BlobSource> {
  const { source } = opened;
  const isIndex = parseContents(source.root, shown).kind === 'index';
  const layout = to.kind === 'oci' || to.kind === 'oci-archive' || to.kind === 'docker-archive';
  const format = options.format ?? (layout ? 'oci' : undefined);
  if (isIndex && options.all && to.kind !== 'docker-archive') return format === undefined ? source : convertIndex(source, format, shown);
  const single = isIndex || options.platform !== undefined ? await onePlatform(source, shown, options.platform) : source;
  return format === undefined ? single : inFormat(single, format, shown);
}

async function onePlatform(source: BlobSource, shown: string, platform: Platform | undefined): Promise<BlobSource> {
  const [image] = await platformImages(source, shown, { platform });
  return image === undefined ? source : onlyManifest(source, image.bytes, image.descriptor.mediaType);
}

async function put(
  paths: Paths,
  source: BlobSource,
  opened: OpenImage,
  from: Transport,
  to: Transport,
  options: CopyOptions,
): Promise<void> {
  const { progress, signal } = options;
  switch (to.kind) {
    case 'registry':
      await pushImage(source, to.reference, { ...options.to, progress, signal });
      return;
    case 'store': {
      const choice = options.all ? { present: opened.has } : { platform: options.platform };
      await storeImage(paths, source, [tagName(to.name)], { shown: from.text, choice, progress, signal });
      return;
    }
    default:
      await write(to, { source, names: namesAt(to), shown: from.text }, options);
  }
}

type FileTransport = Exclude<Transport, { readonly kind: 'registry' | 'store' }>;

/** A layout has bare tags, docker's archives whole references. */
function namesAt({ kind, tag }: FileTransport): string[] {
  if (tag === undefined) return [];
  return kind === 'docker-archive' ? [parseReference(tag).name] : [tag];
}

async function write(to: FileTransport, image: Outgoing, options: CopyOptions): Promise<void> {
  let sink: FileSink | undefined;
  try {
    sink = to.kind === 'oci' || to.kind === 'dir' ? folderSink(to.path) : await tarSink(to.path);
    if (to.kind === 'dir') await writeFolder(sink, image, options);
    else if (to.kind === 'docker-archive') await writeSaved(sink, [image], options);
    else await writeLayout(sink, [image], options);
    await sink.finish();
  } catch (cause) {
    await sink?.discard();
    options.signal?.throwIfAborted();
    throw explainTarget(cause, to.path);
  }
}
