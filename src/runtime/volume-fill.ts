/** The first use of a volume: a copy of what the image has there; and what is done when its files have other ids than this container. */

import { realpathSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import { canonicalMapping } from '../image/layers.ts';
import type { Paths } from '../paths.ts';
import type { Mapping } from './options.ts';
import type { Layers } from './root.ts';
import { idsOf, type Volume } from './volume-store.ts';

export type Filling = {
  /** The container that it is for. */
  readonly id: string;
  readonly mapping: Mapping;
  readonly layers: Layers;
  /** Whose the folder is if the image has none there: `USER[:GROUP]` of the container. */
  readonly user: string;
  /** Where it is mounted; undefined: nothing is copied. */
  readonly target: string | undefined;
};

/** When this returns, the volume's files have the ids of this mapping. @throws RootlessError VOLUME_COPY_FAILED, DISK_FULL */
export async function fillVolume(paths: Paths, volume: Volume, filling: Filling): Promise<void> {
  const wanted = storedIds(filling.mapping);
  const found = idsOf(volume) ?? (await fill(paths, volume, filling, wanted));
  if (found === wanted) return;
  const { convertVolume } = await import('./volume-ids.ts');
  await convertVolume(paths, volume, found, { ids: wanted, mapping: filling.mapping, id: filling.id });
}

/** With one id only it is the same one outside, whoever it stands for inside. */
export function storedIds(mapping: Mapping): string {
  return mapping.mode === 'single' ? '{"single":true}' : canonicalMapping(mapping);
}

async function fill(paths: Paths, volume: Volume, { mapping, layers, user, target }: Filling, ids: string): Promise<string> {
  const place = target === undefined ? [] : ['--path', target];
  const stack = layers.lower.map((layer) => (layer.startsWith('/') ? layer : `${layers.base}/${layer}`));
  const what = ['--volume', realpathSync(volume.folder), '--ids', ids, '--idmap', JSON.stringify(mapping.idMap), '--user', user];
  const result = await runHelper(paths, ['fill', ...what, ...place, '--', ...stack]);
  if (result.code === 0) return result.stdout.trimEnd();
  const { failure } = result;
  const full = failure?.errno === 'ENOSPC' || failure?.errno === 'EDQUOT';
  throw new RootlessError({
    code: full ? 'DISK_FULL' : 'VOLUME_COPY_FAILED',
    message: `cannot copy what the image has at "${target}" to volume "${volume.name}"${full ? ': no space left' : ''}`,
    why: [failure?.target, failure?.errno, failure?.message].filter(Boolean).join(': ') || result.stderr.trim(),
    cause: failure,
  });
}
