/** The bundle of a container that was created and never started, so that its files can be reached before its first launch. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { layersFolder, otherFolders, stackOf } from '../image/layers.ts';
import type { Paths } from '../paths.ts';
import { readHost } from '../userns/host.ts';
import { layersOf } from './base.ts';
import { withLock } from './lock.ts';
import { keptIds } from './mapping.ts';
import { prepareLaunch } from './prepare.ts';
import type { Layers } from './root.ts';
import { containerFolder, type Listed } from './state.ts';

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
    const still = { ...options, network: 'none' as const, ports: [], publishAll: false, limits: {}, secrets: [] };
    await prepareLaunch(
      { id, name, folder, options: still, base, mapping, layers, host, labels, filled: false, keepInput: false, traces: [] },
      context,
    );
  });
}

/** What lies below its own files, top first; undefined for `host:`. */
export function layersBelow(paths: Paths, { base, idMap, mode }: Listed): Layers | undefined {
  if (base.kind === 'host') return undefined;
  return base.kind === 'rootfs'
    ? { base: '/', lower: [base.dir] }
    : stackOf(layersFolder(paths, { idMap, mode }), base.diffIds, otherFolders(paths, { idMap, mode }));
}
