/** Folders behind volumes: named ones in $DATA/volumes/NAME, nameless ones in the container's own folder; missing bind sources. */

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { ContainerOptions } from './options.ts';

/**
 * Host folders by target. A VOLUME of the image needs one only where the root filesystem is read-only: otherwise what is
 * written there stays in the container's own layer, beside what the image has there, and goes with the container.
 * @throws RootlessError VOLUME_NAME_INVALID, SYSTEM_… when a folder cannot be made
 */
export function makeVolumes(
  paths: Paths,
  folder: string,
  options: ContainerOptions,
  imageVolumes: readonly string[],
): Record<string, string> {
  const made: Record<string, string> = {};
  for (const mount of options.mounts) {
    if (mount.kind === 'bind' && mount.createSource && !statSync(mount.source, { throwIfNoEntry: false })) {
      mkdirSync(mount.source, { recursive: true });
    }
    if (mount.kind === 'volume') made[mount.target] = mount.name === undefined ? nameless(folder, made) : named(paths, mount.name);
  }
  const covered = new Set(options.mounts.map((mount) => mount.target));
  for (const target of options.readOnly ? imageVolumes : []) {
    if (!covered.has(target)) made[target] = nameless(folder, made);
  }
  return made;
}

function named(paths: Paths, name: string): string {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new RootlessError({
      code: 'VOLUME_NAME_INVALID',
      message: `invalid volume name "${name}"`,
      why: 'a name has letters, digits, "_", "." or "-" and begins with a letter or digit; a folder is given by its absolute path',
    });
  }
  return made(join(paths.data, 'volumes', name));
}

function nameless(folder: string, others: Readonly<Record<string, string>>): string {
  return made(join(folder, 'volumes', String(Object.keys(others).length)));
}

function made(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  return folder;
}
