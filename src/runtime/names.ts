/** Names of containers: links in $DATA/names/. */

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { checkName, inventName } from './ids.ts';
import { claimLink, holderOf, takeAway } from './links.ts';

export const nameLink = (paths: Paths, name: string): string => join(paths.data, 'names', name);

/** @param fix  what to do when somebody has it. @throws RootlessError NAME_IN_USE, NAME_INVALID */
export function claimName(paths: Paths, id: string, wanted: string | undefined, fix?: string): string {
  if (wanted !== undefined) {
    const name = checkName(wanted);
    if (claim(paths, name, id)) return name;
    throw nameInUse(paths, name, fix);
  }
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const name = inventName(id, attempt);
    if (claim(paths, name, id)) return name;
  }
  claim(paths, id.slice(0, 12), id);
  return id.slice(0, 12);
}

/** Another container may have the name by now: then it keeps it. */
export function releaseName(paths: Paths, name: string, id: string): void {
  if (idOfName(paths, name) === id) takeAway(nameLink(paths, name), id);
}

/** For a container that nothing describes any more: its name is only known by the link. */
export function namesOf(paths: Paths, id: string): string[] {
  return allNames(paths).filter((name) => idOfName(paths, name) === id);
}

export function idOfName(paths: Paths, name: string): string | undefined {
  return name === '' || name.startsWith('.') || name.includes('/') ? undefined : holderOf(nameLink(paths, name));
}

/** The folder is made before the name is claimed. */
function claim(paths: Paths, name: string, id: string): boolean {
  return claimLink(nameLink(paths, name), id, (holder) => !lstatSync(join(paths.data, 'containers', holder), { throwIfNoEntry: false }));
}

function allNames(paths: Paths): string[] {
  try {
    return readdirSync(join(paths.data, 'names'));
  } catch {
    return [];
  }
}

function nameInUse(paths: Paths, name: string, fix = `rootless rm ${name}`): RootlessError {
  return new RootlessError({
    code: 'NAME_IN_USE',
    message: `the name "${name}" is already in use`,
    why: `container ${(idOfName(paths, name) ?? '').slice(0, 12)} has it`,
    fix,
  });
}
