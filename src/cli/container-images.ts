/** What lists of containers ask about images: exposed ports, and what is made from what. */

import { readFileSync } from 'node:fs';
import { parseConfig } from '../image/config.ts';
import { findStored } from '../image/find.ts';
import { blobFile, listImages } from '../image/store.ts';
import type { Paths } from '../paths.ts';
import type { Listed } from '../runtime/state.ts';

/** Ports that the image says it listens on. */
export function exposedBy({ base }: Listed): readonly string[] {
  return base.kind === 'layers' ? (base.defaults.exposedPorts ?? []) : [];
}

/** Whether a container's image is, or is made from, the named one of the store: it begins with its layers. */
export function ancestry(paths: Paths): (container: Listed, name: string) => boolean {
  const known = new Map<string, readonly string[]>();
  const layersOf = (name: string): readonly string[] => {
    const found = known.get(name) ?? layersOfImage(paths, name);
    known.set(name, found);
    return found;
  };
  return ({ base }, name) => {
    const layers = base.kind === 'layers' ? layersOf(name) : [];
    return base.kind === 'layers' && layers.length > 0 && layers.every((layer, at) => base.diffIds[at] === layer);
  };
}

/** None when the store has no such image. */
function layersOfImage(paths: Paths, name: string): readonly string[] {
  const image = findStored(listImages(paths), name);
  try {
    return image === undefined ? [] : parseConfig(readFileSync(blobFile(paths, image.id)), name).diffIds;
  } catch {
    return [];
  }
}
