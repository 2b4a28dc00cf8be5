/** What commands on images put into the journal of events: docker's pull, push, tag, untag, delete, load and save. */

import { listImages } from '../image/store.ts';
import type { Paths } from '../paths.ts';
import { tellEvent } from '../runtime/events.ts';

export function tellImage(paths: Paths, action: string, id: string, name: string | undefined): void {
  tellEvent(paths, { type: 'image', action, id, attributes: name === undefined ? {} : { name } });
}

/** Runs `work`, and tells which names and images came and went meanwhile. */
export async function tellingNames<T>(paths: Paths, work: () => Promise<T>): Promise<T> {
  const before = listImages(paths);
  const result = await work();
  const after = listImages(paths);
  const has = (images: typeof before, id: string, name: string | undefined) =>
    images.some((image) => image.id === id && image.name === name);
  for (const { id, name } of before) if (name !== undefined && !has(after, id, name)) tellImage(paths, 'untag', id, name);
  for (const { id, name } of after) if (name !== undefined && !has(before, id, name)) tellImage(paths, 'tag', id, name);
  const left = new Set(after.map(({ id }) => id));
  for (const id of new Set(before.map((image) => image.id))) if (!left.has(id)) tellImage(paths, 'delete', id, undefined);
  return result;
}
