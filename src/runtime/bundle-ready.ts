/** The bundle of a container that was created and never started, so that its files can be reached before its first launch. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runHelper } from '../helper.ts';
import { layersFolder, otherFolders, stackOf } from '../image/layers.ts';
import type { Paths } from '../paths.ts';
import { readHost } from '../userns/host.ts';
import { layersOf } from './base.ts';
import { explainArchive } from './explain-archive.ts';
import { removeTree } from './folders.ts';
import { withLock } from './lock.ts';
import { keptIds } from './mapping.ts';
import type { Mapping } from './options.ts';
import { prepareLaunch } from './prepare.ts';
import type { Layers } from './root.ts';
import { containerFolder, type Listed } from './state.ts';
import { chooseStorage } from './storage.ts';

/** The launch makes it anew: what of it depends on the moment (network, limits, secrets) is left out. */
export async function readyBundle(paths: Paths, container: Listed, searchPath: readonly string[]): Promise<void> {
  const { id, name, options, base, labels } = container;
  const folder = containerFolder(paths, id);
  const config = join(folder, 'config.json');
  if (existsSync(config)) return;
  await withLock(paths, id, async () => {
    if (existsSync(config)) return;
    const host = readHost(searchPath);
    const mapping = keptIds(container, host);
    const context = { paths, searchPath, pull: 'never' as const };
    const layers = await layersOf(base, options.image, mapping, { ...context, mapping });
    const filled = base.kind !== 'host' && (await fillCopy(paths, container, layers, mapping, context));
    const still = {
      ...options,
      network: 'none' as const,
      ports: [],
      publishAll: false,
      limits: {},
      cgroups: 'disabled' as const,
      secrets: [],
    };
    await prepareLaunch(
      { id, name, folder, options: still, base, mapping, layers, host, labels, filled, keepInput: false, alone: false, traces: [] },
      context,
    );
  });
}

/** Says that the root filesystem is a whole copy of the layers, though no launch made it: the first one takes it as it is. */
export const filledMark = (paths: Paths, id: string): string => join(containerFolder(paths, id), 'filled');

/** Where layers cannot be stacked they are copied once, so that what is copied in now is there when the container runs. */
async function fillCopy(
  paths: Paths,
  { id }: Listed,
  { base, lower }: Layers,
  { idMap }: Mapping,
  { searchPath }: { readonly searchPath: readonly string[] },
): Promise<boolean> {
  const storage = await chooseStorage(paths, idMap, searchPath, undefined);
  if (storage.kind !== 'copy') return false;
  const rootfs = join(containerFolder(paths, id), 'rootfs');
  await removeTree(paths, rootfs, idMap);
  mkdirSync(rootfs, { mode: 0o755 });
  const from = lower.map((layer) => resolve(base, layer));
  const result = await runHelper(paths, ['flatten', '--to', rootfs, '--idmap', JSON.stringify(idMap), ...from]);
  if (result.code !== 0) throw explainArchive(result, { kind: 'local' }, rootfs);
  writeFileSync(filledMark(paths, id), '');
  return true;
}

/** What lies below its own files, top first; undefined for `host:`. */
export function layersBelow(paths: Paths, { base, idMap, mode }: Listed): Layers | undefined {
  if (base.kind === 'host') return undefined;
  return base.kind === 'rootfs'
    ? { base: '/', lower: [base.dir] }
    : stackOf(layersFolder(paths, { idMap, mode }), base.diffIds, otherFolders(paths, { idMap, mode }));
}
