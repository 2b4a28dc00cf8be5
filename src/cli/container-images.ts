/** What lists of containers ask of the image store: exposed ports, and which images are made from which. */

import { readFileSync } from 'node:fs';
import { type ImageConfig, parseConfig } from '../image/config.ts';
import { parseDigest } from '../image/digest.ts';
import { findStored } from '../image/find.ts';
import { blobFile, listImages } from '../image/store.ts';
import type { Paths } from '../paths.ts';

export type ImageLookup = {
  /** Ports that an image exposes; none when it is gone. */
  readonly exposed: (imageId: string | undefined) => readonly string[];
  /** Ids of the images that are, or are made from, the named one. */
  readonly descendants: (name: string) => ReadonlySet<string>;
};

/** Each configuration is read once. */
export function imageLookup(paths: Paths): ImageLookup {
  const configs = new Map<string, ImageConfig | undefined>();
  const config = (id: string): ImageConfig | undefined => {
    if (!configs.has(id)) configs.set(id, read(paths, id));
    return configs.get(id);
  };
  const families = new Map<string, ReadonlySet<string>>();
  const family = (name: string): ReadonlySet<string> => {
    const images = listImages(paths);
    const ancestor = findStored(images, name);
    if (ancestor === undefined) return new Set();
    const layers = config(ancestor.id)?.diffIds ?? [];
    const made = images.filter(({ id }) => {
      const own = config(id)?.diffIds ?? [];
      return layers.length > 0 && layers.every((layer, at) => own[at] === layer);
    });
    return new Set([ancestor.id, ...made.map(({ id }) => id)]);
  };
  return {
    exposed: (id) => (id === undefined ? [] : (config(id)?.exposedPorts ?? [])),
    descendants: (name) => {
      const known = families.get(name) ?? family(name);
      families.set(name, known);
      return known;
    },
  };
}

function read(paths: Paths, id: string): ImageConfig | undefined {
  const digest = parseDigest(id);
  try {
    return digest && parseConfig(readFileSync(blobFile(paths, digest)), id);
  } catch {
    return undefined;
  }
}
