/** A volume as a tar stream, with the ids that containers see. */

import { realpathSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import { type HelperResult, startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { chooseMapping } from '../userns/choose.ts';
import { readHost } from '../userns/host.ts';
import { fillVolume } from './volume-fill.ts';
import { mapOf } from './volume-ids.ts';
import { idsOf, type Volume } from './volume-store.ts';

/** Writes to an open file. @returns false when nobody reads it to its end. @throws RootlessError VOLUME_OPTIONS_REFUSED, VOLUME_TAR_FAILED */
export async function exportVolume(paths: Paths, volume: Volume, output: number): Promise<boolean> {
  const result = await startHelper(paths, ['export', ...(await whatOf(paths, volume))], ['ignore', output, 'pipe']).done;
  if (result.failure?.errno === 'EPIPE') return false;
  check(result, volume, 'export');
  return true;
}

/** Reads an open file. @throws RootlessError VOLUME_OPTIONS_REFUSED, VOLUME_TAR_FAILED, DISK_FULL */
export async function importVolume(paths: Paths, volume: Volume, input: number): Promise<void> {
  const { done } = startHelper(paths, ['import', ...(await whatOf(paths, volume))], [input, 'pipe', 'pipe']);
  check(await done, volume, 'import');
}

async function whatOf(paths: Paths, volume: Volume): Promise<string[]> {
  if (volume.options['type'] !== undefined || volume.options['device'] !== undefined) throw elsewhere(volume);
  const host = readHost([]);
  const mapping = chooseMapping({ kind: 'host' }, host);
  // Before its first use its files have nobody's ids yet: they get those of a usual container.
  if (idsOf(volume) === undefined)
    await fillVolume(paths, volume, { id: '', mapping, layers: { base: '/', lower: [] }, user: '', target: undefined });
  const ids = idsOf(volume) ?? '';
  const { newuidmap, newgidmap } = mapping.idMap;
  const idMap = { ...mapOf(ids, host), newuidmap, newgidmap };
  const single = mapping.mode === 'single' ? ['--single-id'] : [];
  return ['--volume', realpathSync(volume.folder), '--idmap', JSON.stringify(idMap), ...single];
}

function check({ code, failure, stderr }: HelperResult, { name }: Volume, what: 'export' | 'import'): void {
  if (code === 0) return;
  const full = failure?.errno === 'ENOSPC' || failure?.errno === 'EDQUOT';
  throw new RootlessError({
    code: full ? 'DISK_FULL' : 'VOLUME_TAR_FAILED',
    message: `cannot ${what} volume "${name}"${full ? ': no space left' : ''}`,
    why: [failure?.target, failure?.errno, failure?.message].filter(Boolean).join(': ') || stderr.trim(),
    fix: full ? 'what was read before is in the volume: rootless volume rm it, or make room and import again' : undefined,
    cause: failure,
  });
}

function elsewhere({ name }: Volume): RootlessError {
  return new RootlessError({
    code: 'VOLUME_OPTIONS_REFUSED',
    message: `volume "${name}" has no files of its own`,
    why: 'it stands for a tmpfs, or for a folder of the host, which tar can read itself',
  });
}
