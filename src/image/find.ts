/** Images of the store as people name them on a command line: by name, by digest, by id or its beginning. */

import { RootlessError } from '../errors.ts';
import type { Platform } from './platform.ts';
import { isId, parseImageSource, parseReference, type RegistryReference } from './reference.ts';
import { findById, findImage, type StoredImage } from './store.ts';

/** Undefined when the store has no such image. Names come before ids, as with docker. */
export function findStored(images: readonly StoredImage[], text: string, platform?: Platform): StoredImage | undefined {
  const reference = referenceOf(text);
  if (reference === undefined) return findById(images, text, platform);
  const known = findImage(images, reference, platform) ?? findById(images, text, platform);
  if (known !== undefined) return known;
  const [short] = namedShort(images, reference);
  return short?.name === undefined ? undefined : findImage(images, parseReference(short.name), platform);
}

/** `alpine` may have come from another registry, by registries.conf or out of an archive: every platform of it, if there is only one such name. */
export function namedShort(images: readonly StoredImage[], { short, tag, digest }: RegistryReference): StoredImage[] {
  if (short === undefined || digest !== undefined) return [];
  const found = images.filter(({ name }) => name?.slice(name.indexOf('/') + 1) === `${short}:${tag}`);
  return new Set(found.map(({ name }) => name)).size === 1 ? found : [];
}

/** @throws RootlessError IMAGE_NOT_FOUND */
export function requireStored(images: readonly StoredImage[], text: string, platform?: Platform): StoredImage {
  return findStored(images, text, platform) ?? noSuchImage(text);
}

/** docker's words and docker's exit code. */
export function noSuchImage(text: string): never {
  throw new RootlessError({ code: 'IMAGE_NOT_FOUND', message: `no such image: "${text}"`, fix: '"rootless images" lists them', exit: 1 });
}

/** A name in a registry; undefined for what cannot be one: `sha256:…`, `oci:DIR`. */
export function referenceOf(text: string): RegistryReference | undefined {
  if (isId(text)) return undefined;
  try {
    const source = parseImageSource(text);
    return source.kind === 'registry' ? source : undefined;
  } catch (error) {
    if (error instanceof RootlessError) return undefined;
    throw error;
  }
}
