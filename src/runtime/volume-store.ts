/** Named volumes on disk, $DATA/volumes/NAME/: volume.json, `_data`, `ids` once it was filled, and users/ID for each container. */

import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { replace } from './replace.ts';
import { changeSet } from './set-lock.ts';

/** volume.json. */
export type VolumeRecord = {
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the driver `local`: type, device, o. */
  readonly options: Readonly<Record<string, string>>;
  /** Made up for a container that named none. */
  readonly anonymous: boolean;
};

export type Volume = VolumeRecord & { readonly folder: string; readonly mountpoint: string };

export const volumesFolder = (paths: Paths): string => join(paths.data, 'volumes');
export const volumeFolder = (paths: Paths, name: string): string => join(volumesFolder(paths), name);

/** docker marks what it made up a name for by a label, which others look for. */
export function newRecord(
  name: string,
  anonymous: boolean,
  labels: VolumeRecord['labels'],
  options: VolumeRecord['options'],
): VolumeRecord {
  const marked = anonymous ? { 'com.docker.volume.anonymous': '', ...labels } : labels;
  return { name, created: new Date().toISOString(), labels: marked, options, anonymous };
}

/** docker's rule. @throws RootlessError VOLUME_NAME_INVALID */
export function checkVolumeName(name: string): string {
  if (isVolumeName(name)) return name;
  throw new RootlessError({
    code: 'VOLUME_NAME_INVALID',
    message: `invalid volume name "${name}"`,
    why: 'a name has up to 255 letters, digits, "_", "." or "-" and begins with a letter or digit; a folder is given by its absolute path',
  });
}

export function isVolumeName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name) && name.length <= 255;
}

/** @throws RootlessError VOLUME_INVALID where something else has the name */
export function readVolume(paths: Paths, name: string): Volume | undefined {
  if (!isVolumeName(name)) return undefined;
  const folder = volumeFolder(paths, name);
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isSymbolicLink() && isLodger(folder, name)) {
    if (!existsSync(folder)) return undefined;
  } else if (!stat.isDirectory()) throw notAVolume(folder);
  const record = readRecord(join(folder, 'volume.json'));
  const lost = { created: stat.ctime.toISOString(), labels: {}, options: {}, anonymous: false };
  return { ...lost, ...record, name, folder, mountpoint: join(folder, '_data') };
}

/** @throws RootlessError VOLUME_NOT_FOUND */
export function findVolume(paths: Paths, name: string): Volume {
  const volume = readVolume(paths, name);
  if (volume !== undefined) return volume;
  throw new RootlessError({ code: 'VOLUME_NOT_FOUND', message: `no such volume: "${name}"`, fix: 'rootless volume ls' });
}

/** By name. */
export function listVolumes(paths: Paths): Volume[] {
  return namesIn(volumesFolder(paths)).flatMap((name) => {
    try {
      return readVolume(paths, name) ?? [];
    } catch {
      return [];
    }
  });
}

/** Short synchronous changes of the set of volumes; what takes long is done on a volume that is claimed. @throws RootlessError VOLUMES_BUSY */
export function changeVolumes<T>(paths: Paths, work: () => T): Promise<T> {
  return changeSet(paths, { folder: volumesFolder(paths), mode: 0o711, name: 'volumes', code: 'VOLUMES_BUSY' }, work);
}

/**
 * Under the lock. `lodging`: the folder of a container that takes the volume along when it is removed (`--rm`); then the name is
 * a link to it.
 */
export function makeVolume(paths: Paths, record: VolumeRecord, lodging?: string): Volume {
  const link = volumeFolder(paths, checkVolumeName(record.name));
  const folder = lodging === undefined ? link : join(lodging, 'volumes', record.name);
  try {
    makeFolders(join(folder, 'users'), 0o711);
    makeFolders(join(folder, '_data'), 0o755);
    replace(join(folder, 'volume.json'), JSON.stringify(record));
    if (lodging !== undefined) symlinkSync(lodgingLink(lodging, record.name), link);
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    throw cause;
  }
  return { ...record, folder: link, mountpoint: join(link, '_data') };
}

/** The mapping whose ids its files have, as canonicalMapping writes it; undefined before its first use. */
export function idsOf({ folder }: Pick<Volume, 'folder'>): string | undefined {
  try {
    return readFileSync(join(folder, 'ids'), 'utf8');
  } catch {
    return undefined;
  }
}

function lodgingLink(lodging: string, name: string): string {
  return join('../containers', lodging.split('/').at(-1) ?? '', 'volumes', name);
}

/** No other link is followed: whatever it leads to is nothing that a volume command may change. */
export function isLodger(path: string, name: string): boolean {
  try {
    return /^\.\.\/containers\/[0-9a-f]{64}\/volumes\/([0-9a-f]{64})$/.exec(readlinkSync(path))?.[1] === name;
  } catch {
    return false;
  }
}

function readRecord(file: string): Partial<VolumeRecord> | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof record === 'object' && record !== null ? record : undefined;
  } catch {
    return undefined;
  }
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
}

function notAVolume(folder: string): RootlessError {
  return new RootlessError({
    code: 'VOLUME_INVALID',
    message: `"${folder}" is not the folder of a volume`,
    why: 'a link or a file has the name; volumes in other places are made with -o type=none -o o=bind -o device=FOLDER',
  });
}
