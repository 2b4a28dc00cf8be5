/** A volume whose files were stored with the ids of another mapping. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { Mapping } from './options.ts';
import type { Volume } from './volume-store.ts';

/** @throws RootlessError VOLUME_IDS_DIFFER */
export async function convertVolume(_paths: Paths, volume: Volume, _found: string, _mapping: Mapping): Promise<void> {
  throw new RootlessError({
    code: 'VOLUME_IDS_DIFFER',
    message: `volume "${volume.name}" holds files of other ids than this container has`,
    why: 'it was first used with another --userns',
    fix: 'use the same --userns',
  });
}
