/** A volume whose files were stored with the ids of another mapping: they are given those of this one, while nobody else uses it. */

import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { type IdMap, type IdMapping, runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { chooseMapping } from '../userns/choose.ts';
import { type Host, readHost } from '../userns/host.ts';
import { idsChanged, lostIds } from '../userns/lost.ts';
import { markOf } from './marks.ts';
import type { Mapping } from './options.ts';
import { isActive, readContainer } from './state.ts';
import { usersOf } from './volume-claims.ts';
import type { Volume } from './volume-store.ts';

export type Wanted = {
  /** As storedIds writes them. */
  readonly ids: string;
  readonly mapping: Mapping;
  /** The container that it is for. */
  readonly id: string;
};

/** `found`: what storedIds wrote for the mapping that the files have. @throws RootlessError VOLUME_IDS_DIFFER */
export async function convertVolume(paths: Paths, volume: Volume, found: string, wanted: Wanted): Promise<void> {
  const others = othersNow(paths, volume, wanted);
  if (others.length > 0) throw inUse(volume, others);
  const host = readHost([]);
  const lost = lostIds(mapOf(found, host), host);
  if (lost) throw idsChanged(`volume "${volume.name}"`, lost, host);
  const what = ['--volume', realpathSync(volume.folder), '--ids', wanted.ids, '--idmap', JSON.stringify(wholeMap(host))];
  const maps = ['--from', JSON.stringify(mapOf(found, host)), '--to', JSON.stringify(mapOf(wanted.ids, host))];
  const { code, failure, stderr } = await runHelper(paths, ['remap', ...what, ...maps]);
  if (code === 0) return;
  throw new RootlessError({
    code: 'VOLUME_IDS_DIFFER',
    message: `volume "${volume.name}" holds files of other ids than this container has, and they cannot be changed`,
    why: [failure?.target, failure?.errno, failure?.message].filter(Boolean).join(': ') || stderr.trim(),
    fix: 'the --userns that it was first used with',
    cause: failure,
  });
}

/** All ids that this user can have: whatever mapping a file was stored with, it can be reached. */
export function wholeMap(host: Host): IdMap {
  return chooseMapping({ kind: 'host' }, host).idMap;
}

/** Containers that run, or are about to, with other ids. */
export function othersNow(paths: Paths, volume: Volume, { ids, id }: Pick<Wanted, 'ids' | 'id'>): string[] {
  return usersOf(paths, volume).filter((user) => {
    if (user === id || claimed(volume, user) === ids) return false;
    const container = readContainer(paths, user);
    return container === undefined ? markOf(paths, user) === 'alive' : isActive(container);
  });
}

function claimed({ folder }: Volume, user: string): string | undefined {
  try {
    return readFileSync(join(folder, 'users', user), 'utf8');
  } catch {
    return undefined;
  }
}

/** The mapping that storedIds wrote. With one id, everything belongs to the caller, who is root there. */
export function mapOf(text: string, { uid, gid }: Host): IdMap {
  const stored = parseIds(text);
  const lines = (list: readonly [number, number, number][]): IdMapping[] =>
    list.map(([containerID, hostID, size]) => ({ containerID, hostID, size }));
  return { uid: lines(stored.uid ?? [[0, uid, 1]]), gid: lines(stored.gid ?? [[0, gid, 1]]) };
}

type StoredIds = { readonly uid?: [number, number, number][]; readonly gid?: [number, number, number][] };

function parseIds(text: string): StoredIds {
  try {
    const stored = JSON.parse(text) as StoredIds;
    const whole = [stored.uid ?? [], stored.gid ?? []].every((list) => Array.isArray(list) && list.every((line) => line.length === 3));
    if (whole) return stored;
  } catch {
    // Said below.
  }
  throw new RootlessError({
    code: 'VOLUME_INVALID',
    message: 'nobody can say any more whose the files of the volume are',
    why: `what is in its file "ids" is damaged: ${text.slice(0, 40)}`,
    fix: 'remove that file: the owners stay as they are; or "rootless volume rm"',
  });
}

function inUse({ name }: Volume, others: readonly string[]): RootlessError {
  return new RootlessError({
    code: 'VOLUME_IDS_DIFFER',
    message: `volume "${name}" is in use with other ids than this container has`,
    why: `container ${others.map((id) => id.slice(0, 12)).join(', ')} has another --userns, and its files can have one set of owners at a time`,
    fix: `the same --userns for both, or rootless stop ${others.map((id) => id.slice(0, 12)).join(' ')}`,
  });
}
