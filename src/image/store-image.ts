/** Putting an image into the store from wherever its bytes are: blobs first, each verified, names last and all at once. */

import type { Paths } from '../paths.ts';
import type { BlobSource } from './blob-source.ts';
import { addBlob, addBytes, keepBlob, lease } from './blobs.ts';
import { sweep } from './collect.ts';
import { type Digest, digestOf, type Expected } from './digest.ts';
import { explainDisk } from './disk.ts';
import { type Choice, type PlatformImage, platformImages } from './platforms.ts';
import { inParallel } from './pool.ts';
import type { Progress } from './progress.ts';
import { isWhole, type StoredImage } from './store.ts';
import { changeIndex, withImage } from './store-write.ts';
import { blobTurn } from './turns.ts';

export type StoreOptions = {
  /** What messages call the source. */
  readonly shown: string;
  readonly choice: Choice;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

const atOnce = 3;

/**
 * Without names the image stays nameless. @returns the platforms that were stored
 * @throws RootlessError of documents and blobs; nothing half-written remains under any name
 */
export async function storeImage(
  paths: Paths,
  source: BlobSource,
  names: readonly string[],
  options: StoreOptions,
): Promise<StoredImage[]> {
  try {
    using _lease = lease(paths);
    sweep(paths);
    const found = await platformImages(source, options.shown, options.choice);
    const stored = found.map((image) => entryOf(image, digestOf(source.root)));
    // A collection that had begun before may have taken what was there already: once there is a name, none does.
    for (let attempt = 0; attempt < 3 && (attempt === 0 || !stored.every((image) => isWhole(paths, image))); attempt += 1) {
      for (const image of found) await storeBlobs(paths, source, image, options);
      await nameAll(paths, stored, names, options.signal);
    }
    return stored;
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw explainDisk(cause, paths);
  }
}

async function storeBlobs(paths: Paths, source: BlobSource, image: PlatformImage, { progress, signal }: StoreOptions): Promise<void> {
  const layers = [...new Map(image.manifest.layers.map((layer) => [layer.digest, layer])).values()];
  await inParallel(
    atOnce,
    layers,
    async (layer, stop) => {
      using _turn = keepBlob(paths, layer) ? undefined : await blobTurn(paths, layer.digest, stop);
      if (!keepBlob(paths, layer)) await addBlob(paths, layer, counted(source.open(layer, 0), layer, progress, stop));
      progress?.({ kind: 'copy', digest: layer.digest, done: layer.size, total: layer.size });
    },
    signal,
  );
  addBytes(paths, image.manifest.config, image.configBytes);
  addBytes(paths, image.descriptor, image.bytes);
}

function entryOf({ descriptor, manifest, config }: PlatformImage, source: Digest): StoredImage {
  return { name: undefined, manifest: { ...descriptor, platform: config.platform }, source, id: manifest.config.digest };
}

function nameAll(paths: Paths, stored: readonly StoredImage[], names: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const wanted: readonly (string | undefined)[] = names.length === 0 ? [undefined] : names;
  const entries = stored.flatMap((image) => wanted.map((name) => ({ ...image, name })));
  return changeIndex(
    paths,
    ({ images, lists }) => [
      { images: entries.reduce<readonly StoredImage[]>((all, image) => withImage(all, image, 'nameless'), images), lists },
      undefined,
    ],
    signal,
  );
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  { digest, size }: Expected,
  progress: Progress | undefined,
  stop: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const chunk of content) {
    stop.throwIfAborted();
    done += chunk.length;
    yield chunk;
    progress?.({ kind: 'copy', digest, done, total: size });
  }
}
