/** The names of the image store: they change under a lock, all at once or not at all. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders, type Paths } from '../paths.ts';
import { writeAtomically } from './atomic.ts';
import { briefOf } from './facts.ts';
import { withLock } from './lock.ts';
import { type Descriptor, mediaTypes } from './manifest.ts';
import { formatPlatform } from './platform.ts';
import { annotations, imagesFolder, indexFile, readIndex, repositoryOf, type StoredImage, type StoreIndex } from './store.ts';

/** What an image keeps that loses its name to a newer one: its digest as name, where a registry knows it, or nothing. */
export type Displaced = 'by-digest' | 'nameless';

/** Gives an image its name. An older image of the same name and platform loses it, and stays without a tag until it is pruned. */
export function nameImage(paths: Paths, image: StoredImage, signal?: AbortSignal, displaced: Displaced = 'by-digest'): Promise<void> {
  return changeIndex(paths, ({ images, lists }) => [{ images: withImage(images, image, displaced), lists }, undefined], signal);
}

/** Replaces the whole of index.json with what `change` makes of it, under the lock; passes on what else `change` found out. */
export async function changeIndex<T>(
  paths: Paths,
  change: (index: StoreIndex) => readonly [StoreIndex, T],
  signal?: AbortSignal,
): Promise<T> {
  makeFolders(imagesFolder(paths));
  return await withLock(
    lockFile(paths),
    () => {
      const before = readIndex(paths);
      const [after, found] = change(before);
      if (after !== before) writeIndex(paths, after);
      return found;
    },
    signal,
  );
}

/** Pure: the images once `image` has its name. */
export function withImage(images: readonly StoredImage[], image: StoredImage, displaced: Displaced): StoredImage[] {
  const others = images.filter((other) => other.name !== image.name || other.manifest.digest !== image.manifest.digest);
  const losesName = (other: StoredImage) =>
    image.name !== undefined && other.name === image.name && platformOf(other) === platformOf(image);
  // The same image packed in another way was asked for by that name alone: nobody would miss it, and prune would not find it.
  const outdated = others.filter((other) => losesName(other) && other.id !== image.id);
  const losers = outdated.map((loser) => ({ ...loser, name: displaced === 'by-digest' ? byDigest(loser) : undefined }));
  return withoutShadows([...others.filter((other) => !losesName(other)), ...losers, image]);
}

/** Without entries that say nothing more: a nameless one beside a named one of the same image, a digest beside a tag of its repository. */
function withoutShadows(images: readonly StoredImage[]): StoredImage[] {
  const tagged = images.filter(isTagged);
  return images.filter((image, index) => {
    if (isTagged(image)) return true;
    const same = (other: StoredImage) => other.manifest.digest === image.manifest.digest;
    if (images.findIndex((other) => same(other) && other.name === image.name) !== index) return false;
    if (image.name === undefined) return !images.some((other) => other.id === image.id && other.name !== undefined);
    return !tagged.some((other) => same(other) && byDigest(other) === image.name);
  });
}

/** Whether its name has a tag: `x:1`, not `x@sha256:…`. */
export function isTagged({ name }: StoredImage): boolean {
  return name !== undefined && !name.includes('@');
}

export function lockFile(paths: Paths): string {
  return join(imagesFolder(paths), 'lock');
}

export function platformOf({ manifest }: StoredImage): string {
  return manifest.platform === undefined ? '' : formatPlatform(manifest.platform);
}

/** `docker.io/library/alpine@sha256:…`: what the registry calls it for ever. */
export function byDigest({ name, source }: StoredImage): string | undefined {
  return name === undefined ? undefined : `${repositoryOf(name)}@${source}`;
}

export function writeIndex(paths: Paths, { images, lists }: StoreIndex): void {
  const manifests = [...images.map((image) => toDescriptor(paths, image)), ...lists];
  const layout = join(imagesFolder(paths), 'oci-layout');
  if (!existsSync(layout)) writeAtomically(layout, '{"imageLayoutVersion":"1.0.0"}');
  writeAtomically(indexFile(paths), JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
}

function toDescriptor(paths: Paths, image: StoredImage): Descriptor {
  const { manifest, name, source, id } = image;
  const { digest, mediaType, platform, size } = manifest;
  const brief = image.brief ?? briefOf(paths, image);
  return {
    mediaType,
    digest,
    size,
    platform,
    annotations: {
      ...(name !== undefined && { [annotations.name]: name }),
      ...(brief?.created !== undefined && { [annotations.created]: brief.created }),
      [annotations.source]: source,
      [annotations.id]: id,
      ...(brief !== undefined && { [annotations.size]: String(brief.size) }),
    },
  };
}
