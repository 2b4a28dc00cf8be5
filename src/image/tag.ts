/** Names of images that are in the store: more of them, or fewer. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { referenceOf, requireStored } from './find.ts';
import { parseReference } from './reference.ts';
import { namedBy } from './removal.ts';
import { listImages, type StoredImage } from './store.ts';
import { changeIndex, withImage } from './store-write.ts';

/** Every platform of `source` gets every name. @throws RootlessError IMAGE_NOT_FOUND, REFERENCE_INVALID */
export function addNames(paths: Paths, source: string, targets: readonly string[]): Promise<void> {
  const names = targets.map(tagName);
  return changeIndex(paths, ({ images, lists }) => {
    const tagged = platformsOf(listImages(paths), source).flatMap((image) => names.map((name) => ({ ...image, name })));
    return [{ images: tagged.reduce<readonly StoredImage[]>((all, image) => withImage(all, image, 'nameless'), images), lists }, undefined];
  });
}

/** Without names: all that the image has. @throws RootlessError IMAGE_NOT_FOUND, TAG_NOT_FOUND */
export function removeNames(paths: Paths, source: string, names: readonly string[]): Promise<void> {
  const wanted = names.map((name) => parseReference(name).name);
  return changeIndex(paths, ({ images, lists }) => {
    const { id } = requireStored(images, source);
    const own = images.filter((image) => image.id === id);
    const foreign = wanted.find((name) => !own.some((image) => image.name === name));
    if (foreign !== undefined) throw notItsName(source, foreign);
    const gone = own.filter(({ name }) => name !== undefined && (wanted.length === 0 || wanted.includes(name)));
    const [first] = own;
    const left = images.filter((image) => !gone.includes(image));
    const nameless = first !== undefined && !left.some((image) => image.id === id) ? [{ ...first, name: undefined }] : [];
    return [{ images: [...left, ...nameless], lists }, undefined];
  });
}

/** The name that a tag gives: never a digest, which no one can choose. @throws RootlessError REFERENCE_INVALID */
export function tagName(text: string): string {
  const reference = parseReference(text);
  if (reference.digest === undefined) return reference.name;
  throw new RootlessError({
    code: 'REFERENCE_INVALID',
    message: `refusing to create a tag with a digest reference: "${text}"`,
    fix: 'leave out what follows "@"',
  });
}

/** All that a name stands for, or the one image of an id. */
export function platformsOf(images: readonly StoredImage[], text: string): readonly StoredImage[] {
  const named = namedBy(images, referenceOf(text));
  return named.length > 0 ? named : [requireStored(images, text)];
}

function notItsName(image: string, name: string): RootlessError {
  return new RootlessError({
    code: 'TAG_NOT_FOUND',
    message: `"${image}" has no name "${name}"`,
    fix: `rootless inspect --format '{{.RepoTags}}' ${image}`,
    exit: 1,
  });
}
