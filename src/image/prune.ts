/** What `image prune` takes away: images without a tag, or with `all` every image, unless a container was made from it. */

import type { Digest } from './digest.ts';
import { familiarReference, type ImageUse } from './removal.ts';
import type { StoredImage } from './store.ts';
import { isTagged } from './store-write.ts';
import type { Removal } from './removal.ts';

/** Pure. `fits` decides by what filters ask for; it is called once an image. */
export function planPrune(
  images: readonly StoredImage[],
  uses: readonly ImageUse[],
  all: boolean,
  fits: (image: StoredImage) => boolean,
): Removal {
  const tagged = new Set(images.filter(isTagged).map(({ id }) => id));
  const used = new Set(uses.map(({ imageId }) => imageId));
  const candidates = new Map(images.filter(({ id }) => !used.has(id) && (all || !tagged.has(id))).map((image) => [image.id, image]));
  const gone = new Set<Digest>([...candidates.values()].filter(fits).map(({ id }) => id));
  const names = images.flatMap(({ id, name }) => (gone.has(id) && name !== undefined ? [familiarReference(name)] : []));
  return { images: images.filter(({ id }) => !gone.has(id)), untagged: [...new Set(names)], deleted: [...gone] };
}
