/** Which unpacked layers containers stand on: from their bundles, or for one that was only created, from its image. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../image/config.ts';
import { layerName, layersFolder } from '../image/layers.ts';
import { blobFile } from '../image/store.ts';
import type { Digest } from '../image/digest.ts';
import type { Paths } from '../paths.ts';
import { markOf } from './marks.ts';
import { containerFolder, type Container } from './state.ts';

/** Absolute folders; undefined while a container starts that has not written down yet what it will use. */
export function layersInUse(paths: Paths): ReadonlySet<string> | undefined {
  const used = new Set<string>();
  const described = names(join(paths.data, 'containers'));
  const starting = names(join(paths.data, 'live')).filter((id) => !described.includes(id));
  if (starting.some((id) => markOf(paths, id) === 'alive')) return undefined;
  for (const id of described) {
    const layers = ofBundle(paths, id) ?? ofImage(paths, id);
    if (layers === undefined && markOf(paths, id) === 'alive') return undefined;
    for (const layer of layers ?? []) used.add(layer);
  }
  return used;
}

type Bundle = {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly mounts?: readonly { readonly source?: string; readonly options?: readonly string[] }[];
};
type Stack = { readonly base: string; readonly lower: readonly string[] };

function ofBundle(paths: Paths, id: string): string[] | undefined {
  const config = readJson<Bundle>(join(containerFolder(paths, id), 'config.json'));
  if (config === undefined) return undefined;
  const value = config.annotations?.['io.rootless.overlay'] ?? config.annotations?.['io.rootless.copy'];
  const mounted = (config.mounts ?? []).flatMap(mountedLayers).filter((path) => path.startsWith(`${join(paths.data, 'layers')}/`));
  if (value === undefined) return mounted;
  const { base, lower } = JSON.parse(value) as Stack;
  return [...mounted, ...lower.map((layer) => (layer.startsWith('/') ? layer : join(base, layer)))];
}

/** Images that are mounted: one layer as it is, several as an overlay. */
function mountedLayers({ source = '', options = [] }: NonNullable<Bundle['mounts']>[number]): string[] {
  const lower = options.find((option) => option.startsWith('lowerdir='))?.slice('lowerdir='.length);
  return [source, ...(lower?.split(':') ?? [])];
}

/** The image may be gone, or never have been in the store: a start will bring its layers back. */
function ofImage(paths: Paths, id: string): string[] | undefined {
  const container = readJson<Container>(join(containerFolder(paths, id), 'container.json'));
  if (container === undefined) return undefined;
  try {
    const { diffIds } = parseConfig(readFileSync(blobFile(paths, (container.imageId ?? '') as Digest)), container.image);
    const folder = layersFolder(paths, container);
    return diffIds.map((diffId) => join(folder, layerName(diffId)));
  } catch {
    return [];
  }
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
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
