/**
 * Ownership that just works: where a folder of the caller's is mounted and the program is not to run as root, the caller stands for
 * the user that it runs as, so that it can read and write there, and what it makes belongs to the caller.
 */

import { statSync } from 'node:fs';
import type { Paths } from '../paths.ts';
import { chooseMapping } from '../userns/choose.ts';
import type { Host } from '../userns/host.ts';
import { findUser } from './image-user.ts';
import type { ContainerOptions, Mapping, MountRequest } from './options.ts';
import type { Layers } from './root.ts';
import { storedIds } from './volume-fill.ts';
import { othersNow } from './volume-ids.ts';
import { idsOf, readVolume } from './volume-store.ts';

export type FitNeed = {
  readonly paths: Paths;
  readonly id: string;
  readonly host: Host;
  /** With all mounts. */
  readonly options: ContainerOptions;
  /** `USER[:GROUP]` that the program runs as. */
  readonly user: string;
  readonly layers: Layers;
  readonly notice?: ((line: string) => void) | undefined;
};

/** @returns undefined where the usual mapping, root for the caller, is as good */
export function fitIds({ paths, id, host, options, user, layers, notice }: FitNeed): Mapping | undefined {
  if (!options.mounts.some((mount) => isOwn(mount, host))) return undefined;
  const ids = findUser(layers, user);
  if (ids === undefined || ids.uid === 0) return undefined;
  const fitted = chooseMapping({ kind: 'keep-id', ...ids }, host);
  const taken = options.mounts.find((mount) => isTaken(paths, id, mount, fitted));
  if (taken === undefined) return fitted;
  const name = taken.kind === 'volume' ? taken.name : undefined;
  notice?.(`user ${user} cannot stand for you here: volume "${name}" is in use by a container with other ids`);
  return undefined;
}

/** A file or folder of the caller's that the container's user could not use as somebody else; one that is missing will be made. */
function isOwn(mount: MountRequest, host: Host): boolean {
  if (mount.kind !== 'bind') return false;
  const stat = statSync(mount.source, { throwIfNoEntry: false });
  if (stat === undefined) return mount.createSource;
  const legible = (stat.mode & (stat.isDirectory() ? 0o5 : 0o4)) === (stat.isDirectory() ? 0o5 : 0o4);
  return stat.uid === host.uid && (stat.isDirectory() || stat.isFile()) && !(mount.readOnly && legible);
}

/** A volume whose files have other ids, which a container needs as they are at this moment. */
function isTaken(paths: Paths, id: string, mount: MountRequest, fitted: Mapping): boolean {
  if (mount.kind !== 'volume' || mount.name === undefined) return false;
  const volume = readVolume(paths, mount.name);
  const ids = storedIds(fitted);
  const found = volume && idsOf(volume);
  return volume !== undefined && found !== undefined && found !== ids && othersNow(paths, volume, { ids, id }).length > 0;
}
