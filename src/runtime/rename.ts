/** Gives a container another name. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { readHost } from '../userns/host.ts';
import { changeMonitor } from './change-monitor.ts';
import { tellContainer } from './events.ts';
import { withLock } from './lock.ts';
import { claimName, releaseName } from './names.ts';
import { isDead } from './refusals.ts';
import { describe, isRunning, type Listed, readContainer } from './state.ts';

/** @throws RootlessError NAME_IN_USE, NAME_INVALID, CONTAINER_DEAD, NAME_UNCHANGED */
export async function renameContainer(paths: Paths, { id, name: before }: Listed, wanted: string): Promise<void> {
  await withLock(paths, id, async () => {
    const found = readContainer(paths, id);
    if (found === undefined || found.status === 'dead') throw isDead(before, 'rename');
    if (found.name === wanted) {
      throw new RootlessError({
        code: 'NAME_UNCHANGED',
        message: `cannot rename container "${wanted}": it has that name already`,
        exit: 1,
      });
    }
    const name = claimName(paths, id, wanted, 'choose another name');
    describe(paths, { ...found, name, options: { ...found.options, name } });
    releaseName(paths, found.name, id);
    if (found.options.network === 'networks') await renameOnNetworks(paths, { ...found, name, options: { ...found.options, name } });
    await changeMonitor(paths, id, (old) => ({ ...old, facts: { ...(old['facts'] as object), name } }));
    tellContainer(paths, { ...found, name }, 'rename', { oldName: `/${found.name}` });
  });
}

/** Others find it by its new name at once. */
async function renameOnNetworks(paths: Paths, renamed: Listed): Promise<void> {
  const { attachNow, rewriteNetworks } = await import('./network-live.ts');
  const { findNetwork } = await import('./network-store.ts');
  if (renamed.life !== undefined) await rewriteNetworks(paths, renamed, readHost([]), undefined);
  if (!isRunning(renamed)) return;
  for (const { network } of renamed.options.networks ?? []) await attachNow(paths, renamed, findNetwork(paths, network));
}
