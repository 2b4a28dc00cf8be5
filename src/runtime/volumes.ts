/** What stands behind the mounts of a container: volumes with their first content, folders that are missing, upper folders. */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { ResolveOptions } from '../image/resolve.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { callersMode } from '../umask.ts';
import { tellEvent } from './events.ts';
import { newId } from './ids.ts';
import { clean, type MountBacking } from './mounts.ts';
import type { ContainerOptions, Mapping, MountRequest } from './options.ts';
import type { Layers } from './root.ts';
import { fillVolume, storedIds } from './volume-fill.ts';
import { backingOf, checkVolumeOptions } from './volume-options.ts';
import { claimVolume, settleVolume, sweepLinks } from './volume-claims.ts';
import { changeVolumes, makeVolume, newRecord, readVolume, type Volume, type VolumeRecord } from './volume-store.ts';
import { mountsFrom } from './volumes-from.ts';

export type MountsNeed = {
  readonly paths: Paths;
  readonly id: string;
  /** The container's. */
  readonly folder: string;
  readonly options: ContainerOptions;
  readonly layers: Layers;
  readonly mapping: Mapping;
  /** `USER[:GROUP]` of the container. */
  readonly user: string;
  /** For images that are mounted. */
  readonly resolving: ResolveOptions;
  /** Nothing is made: it is only asked what would be. */
  readonly dry?: boolean;
};

type VolumeMount = Extract<MountRequest, { kind: 'volume' }>;

/** Everything that is mounted, each volume with its name: what was asked for, `--volumes-from`, and the image's VOLUMEs. */
export function allMounts(paths: Paths, options: ContainerOptions, imageVolumes: readonly string[]): MountRequest[] {
  const asked = [
    ...options.mounts,
    ...mountsFrom(
      paths,
      options.volumesFrom,
      options.mounts.map(({ target }) => target),
    ),
  ];
  const taken = new Set(asked.map(({ target }) => target));
  // An image may write them with a slash at the end, or forget the one at the beginning.
  const targets = new Set(imageVolumes.map((path) => clean(`/${path}`)).filter((target) => target !== '/' && !taken.has(target)));
  const own = [...targets].map((target): MountRequest => ({ kind: 'volume', target, readOnly: false }));
  return [...asked, ...own].map((mount) =>
    mount.kind === 'volume' && mount.name === undefined ? { ...mount, name: newId(), anonymous: true } : mount,
  );
}

/**
 * Makes what is missing and claims each volume for the container, so that nobody removes it meanwhile. `options.mounts` are all.
 * @throws RootlessError VOLUME_…, DISK_FULL, SYSTEM_… when a folder cannot be made
 */
export async function backMounts(need: MountsNeed): Promise<Record<string, MountBacking>> {
  const { options, paths } = need;
  const backings: Record<string, MountBacking> = {};
  const volumes = options.mounts.filter((mount): mount is VolumeMount => mount.kind === 'volume');
  const claimed = volumes.length === 0 ? [] : await changeVolumes(paths, () => volumes.map((mount) => claim(need, mount)));
  for (const [index, volume] of claimed.entries()) {
    const mount = volumes[index] as VolumeMount;
    backings[mount.target] = await back(need, mount, volume);
  }
  for (const mount of options.mounts) {
    if (mount.kind === 'bind' && mount.chown) refuseWide(mount.source, paths.home);
    if (mount.kind === 'bind' && mount.createSource && !statSync(mount.source, { throwIfNoEntry: false })) {
      makeFolders(mount.source, callersMode(0o777));
    }
    if (mount.kind === 'image') {
      const { backImage } = await import('./image-mounts.ts');
      const upper = mount.readOnly ? undefined : upperOf(need.folder, mount);
      backings[mount.target] = await backImage(mount.source, need.mapping, upper, need.resolving);
    } else if (mount.kind !== 'tmpfs' && mount.overlay !== undefined) {
      const source = sourceOf(backings[mount.target]) ?? (mount.kind === 'bind' ? mount.source : '');
      backings[mount.target] = { kind: 'path', source, ...upperOf(need.folder, mount) };
    }
  }
  return backings;
}

/** Under the lock of the volumes. With `--rm` a volume without a name lies in the container's folder, and goes with it. */
function claim({ paths, id, folder, options, mapping }: MountsNeed, mount: VolumeMount): Volume {
  const { name = '', anonymous, labels = {}, driverOptions = {} } = mount;
  checkVolumeOptions(driverOptions);
  const record = newRecord(name, anonymous === true, labels, driverOptions);
  if (anonymous) sweepLinks(paths);
  const volume = readVolume(paths, name) ?? make(paths, record, anonymous && options.remove ? folder : undefined);
  // Somebody else's: it must not go when that container goes.
  if (anonymous && !volumeIsIn(volume, folder)) settleVolume(volume);
  claimVolume(paths, volume, id, storedIds(mapping));
  return volume;
}

function make(paths: Paths, record: VolumeRecord, lodging: string | undefined): Volume {
  const volume = makeVolume(paths, record, lodging);
  tellEvent(paths, { type: 'volume', action: 'create', id: record.name, attributes: { driver: 'local' } });
  return volume;
}

async function back({ paths, id, layers, mapping, user }: MountsNeed, mount: VolumeMount, volume: Volume): Promise<MountBacking> {
  const elsewhere = backingOf(volume);
  if (elsewhere !== undefined) return elsewhere;
  await fillVolume(paths, volume, { id, mapping, layers, user, target: mount.noCopy ? undefined : mount.target });
  return { kind: 'path', source: volume.mountpoint };
}

/** podman's rule: giving a whole home away is a slip of the pen. */
function refuseWide(source: string, home: string): void {
  if (source !== '/' && home !== source && !home.startsWith(`${source}/`)) return;
  throw new RootlessError({
    code: 'MOUNT_CHOWN_REFUSED',
    message: `cannot give all of "${source}" to the container's user`,
    why: 'your home is in it, and what is given away is not yours any more',
    fix: 'mount the folder that the container needs',
  });
}

function volumeIsIn({ name }: Volume, folder: string): boolean {
  return statSync(join(folder, 'volumes', name), { throwIfNoEntry: false }) !== undefined;
}

function sourceOf(backing: MountBacking | undefined): string | undefined {
  return backing?.kind === 'path' ? backing.source : undefined;
}

/** A folder for what is written over a mount: the user's own, or one that goes with the container. */
function upperOf(folder: string, mount: Exclude<MountRequest, { kind: 'tmpfs' }>): { upper: string; work: string } {
  const { upper, work } = mount.overlay ?? {};
  if (upper !== undefined && work !== undefined) return { upper, work };
  const all = join(folder, 'overlays');
  makeFolders(all, 0o711);
  const own = join(all, Buffer.from(mount.target).toString('hex').slice(-128) || String(readdirSync(all).length));
  for (const name of ['upper', 'work']) makeFolders(join(own, name), 0o755);
  return { upper: join(own, 'upper'), work: join(own, 'work') };
}
