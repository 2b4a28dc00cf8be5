/**
 * `system migrate`: nothing of the store has the ids that are to be left. Containers and volumes are given others, file by file; layers
 * are deleted, and unpacked anew for whoever needs them.
 */

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { type IdMap, runHelper } from '../helper.ts';
import { withMappers } from '../image/collect-layers.ts';
import { canonicalMapping, mapFolders, readMap } from '../image/layers.ts';
import { removeTrees } from '../image/unpack.ts';
import type { Paths } from '../paths.ts';
import { chooseMapping } from '../userns/choose.ts';
import type { Host } from '../userns/host.ts';
import { idsChanged, lostIds } from '../userns/lost.ts';
import { count, type IdRange, intersect, subtract } from '../userns/ranges.ts';
import { removeTree } from './folders.ts';
import { withLock } from './lock.ts';
import { chooseIds } from './mapping.ts';
import type { Mapping } from './options.ts';
import { containerFolder, describe, isActive, type Listed, listContainers } from './state.ts';
import { storedIds } from './volume-fill.ts';
import { convertVolume, mapOf, wholeMap } from './volume-ids.ts';
import { idsOf, listVolumes } from './volume-store.ts';
import { widenMapping } from './widen-ids.ts';

export type Migrated = { readonly containers: readonly string[]; readonly volumes: readonly string[]; readonly layers: number };

/** @throws RootlessError SUBID_CHANGED, CONTAINER_RUNNING, IDS_TOO_FEW, MIGRATE_FAILED; what was done stays, and is not done again */
export async function migrate(paths: Paths, host: Host, leave: readonly IdRange[]): Promise<Migrated> {
  const touches = ({ uid, gid }: Pick<IdMap, 'uid' | 'gid'>) =>
    [...uid, ...gid].some(({ hostID, size }) => count(intersect([{ start: hostID, size }], leave)) > 0);
  const later: Host = { ...host, subids: { uid: subtract(host.subids.uid, leave), gid: subtract(host.subids.gid, leave) } };
  const containers = listContainers(paths).filter((one) => one.status !== 'dead');
  const moving = containers.filter((one) => one.mode === 'ranges' && touches(one.idMap));
  for (const one of containers) refuseLost(`container "${one.name}"`, one.idMap, host);
  const running = moving.filter(isActive);
  if (running.length > 0) throw isRunning(running);
  const volumes = listVolumes(paths).flatMap((volume) => {
    const ids = idsOf(volume);
    return ids === undefined || ids === '{"single":true}' ? [] : [{ volume, map: mapOf(ids, host), ids }];
  });
  for (const { volume, map } of volumes) refuseLost(`volume "${volume.name}"`, map, host);
  for (const container of moving) await withLock(paths, container.id, () => moveContainer(paths, container, host, later));
  const converted = volumes.filter(({ map }) => touches(map));
  for (const { volume, ids } of converted) {
    const mapping = chooseMapping({ kind: 'host' }, later);
    await convertVolume(paths, volume, ids, { ids: storedIds(mapping), mapping, id: '' });
  }
  return {
    containers: moving.map(({ name }) => name),
    volumes: converted.map(({ volume }) => volume.name),
    layers: await dropLayers(paths, host, touches),
  };
}

function refuseLost(what: string, map: Pick<IdMap, 'uid' | 'gid'>, host: Host): void {
  const lost = lostIds(map, host);
  if (lost) throw idsChanged(what, lost, host);
}

/** The same ids of the container on other ids of the host. */
async function moveContainer(paths: Paths, container: Listed, host: Host, later: Host): Promise<void> {
  const { id, options, idMap } = container;
  const { mapping: chosen } = await chooseIds(options, later, paths, id);
  const mapping = chosen.fixed ? chosen : sameIds(chosen, later, idMap);
  const folder = containerFolder(paths, id);
  for (const data of ['upper', 'rootfs'].filter((name) => existsSync(join(folder, name))))
    await give(paths, folder, data, container, mapping, host);
  // It names layers of the old ids; whoever needs it makes it anew, and the overlay its work folder.
  rmSync(join(folder, 'config.json'), { force: true });
  await removeTree(paths, join(folder, 'work'), withPrograms(idMap, host));
  describe(paths, { ...container, idMap: mapping.idMap, mode: mapping.mode });
}

/** All that it had; where the ranges are smaller now, the ones that were chosen for it, and as many of the usual as there are. */
function sameIds(chosen: Mapping, later: Host, idMap: Pick<IdMap, 'uid' | 'gid'>): Mapping {
  try {
    return widenMapping(chosen, later, idsIn(idMap));
  } catch (error) {
    if (!(error instanceof RootlessError) || error.code !== 'IDS_TOO_FEW') throw error;
    const longest = (lines: IdMap['uid']) => lines.toSorted((a, b) => b.size - a.size)[0];
    const rest = (lines: IdMap['uid']) => lines.filter((line) => line !== longest(lines));
    return widenMapping(chosen, later, idsIn({ uid: rest(idMap.uid), gid: rest(idMap.gid) }));
  }
}

async function give(paths: Paths, folder: string, data: string, { name, idMap }: Listed, mapping: Mapping, host: Host): Promise<void> {
  const { uid, gid } = idMap;
  const what = ['--volume', folder, '--data', data, '--ids', canonicalMapping(mapping), '--idmap', JSON.stringify(wholeMap(host))];
  const to = { uid: mapping.idMap.uid, gid: mapping.idMap.gid };
  const { code, failure, stderr } = await runHelper(paths, [
    'remap',
    ...what,
    '--from',
    JSON.stringify({ uid, gid }),
    '--to',
    JSON.stringify(to),
  ]);
  if (code === 0) return;
  throw new RootlessError({
    code: 'MIGRATE_FAILED',
    message: `cannot give other owners to the files of container "${name}"`,
    why: [failure?.target, failure?.errno, failure?.message].filter(Boolean).join(': ') || stderr.trim(),
    cause: failure,
    exit: 1,
  });
}

/** Layers of maps with such ids; a container that stood on them has others now. */
async function dropLayers(paths: Paths, host: Host, touches: (map: Pick<IdMap, 'uid' | 'gid'>) => boolean): Promise<number> {
  let dropped = 0;
  for (const folder of mapFolders(paths)) {
    const map = readMap(folder);
    if (map === undefined || map.single || !touches(map) || lostIds(map, host)) continue;
    await removeTrees(paths, withPrograms(map, host), [folder]);
    dropped += 1;
  }
  return dropped;
}

function withPrograms(map: Pick<IdMap, 'uid' | 'gid'>, host: Host): IdMap {
  if (host.canMap) return { uid: map.uid, gid: map.gid };
  return withMappers(map, { newuidmap: host.mappers.uid?.path, newgidmap: host.mappers.gid?.path });
}

function idsIn({ uid, gid }: Pick<IdMap, 'uid' | 'gid'>) {
  const runs = (lines: IdMap['uid']) => lines.map(({ containerID, size }): [number, number] => [containerID, size]);
  return { uid: runs(uid), gid: runs(gid) };
}

function isRunning(running: readonly Listed[]): RootlessError {
  const names = running.map(({ name }) => name).join(' ');
  return new RootlessError({
    code: 'CONTAINER_RUNNING',
    message: `cannot give other ids to a container that runs: ${names}`,
    fix: `rootless stop ${names}`,
    exit: 1,
  });
}
