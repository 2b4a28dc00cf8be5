/** Which unpacked layers containers stand on, by what they were made from and by their bundles; and those that somebody looks at. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { layerFolder, layersFolder } from '../image/layers.ts';
import type { Paths } from '../paths.ts';
import { leasedLayers } from './image-leases.ts';
import { markOf } from './marks.ts';
import { type Container, containerFolder } from './state.ts';

/** Absolute folders; undefined while a container starts that has not written down yet what it will use. */
export function layersInUse(paths: Paths): ReadonlySet<string> | undefined {
  const used = new Set<string>(leasedLayers(paths));
  const described = names(join(paths.data, 'containers'));
  const starting = names(join(paths.data, 'live')).filter((id) => !described.includes(id));
  if (starting.some((id) => markOf(paths, id) === 'alive')) return undefined;
  for (const id of described) {
    const base = ofBase(paths, id);
    if (base === undefined && markOf(paths, id) === 'alive') return undefined;
    for (const layer of [...(base ?? []), ...ofBundle(paths, id)]) used.add(layer);
  }
  return used;
}

function ofBase(paths: Paths, id: string): string[] | undefined {
  const text = read(join(containerFolder(paths, id), 'container.json'));
  if (text === undefined) return undefined;
  try {
    const container = JSON.parse(text) as Container;
    if (container.base.kind !== 'layers') return [];
    const folder = layersFolder(paths, container);
    return container.base.diffIds.map((diffId) => layerFolder(folder, diffId));
  } catch {
    return undefined;
  }
}

type Bundle = { readonly annotations?: Readonly<Record<string, string>> };
type Stack = { readonly base: string; readonly lower: readonly string[] };

/** Layers of the root, and of images that are mounted somewhere in it. */
function ofBundle(paths: Paths, id: string): string[] {
  const text = read(join(containerFolder(paths, id), 'config.json')) ?? '';
  const named = [...text.matchAll(/\/layers\/([0-9a-f]{16}\/[0-9a-f]{24})/g)].map(([, layer = '']) => join(paths.data, 'layers', layer));
  try {
    const { annotations = {} } = JSON.parse(text) as Bundle;
    const { base, lower } = JSON.parse(annotations['io.rootless.overlay'] ?? annotations['io.rootless.copy'] ?? '') as Stack;
    return [...named, ...lower.map((layer) => (layer.startsWith('/') ? layer : join(base, layer)))];
  } catch {
    return named;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
