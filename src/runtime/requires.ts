/** `--requires`: containers that have to run before this one, and those that need this one. */

import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders, type Paths } from '../paths.ts';
import { type Container, containerFolder, idsOf } from './state.ts';

const folderOf = (paths: Paths, id: string): string => join(containerFolder(paths, id), 'required-by');

/** Each of them knows by a file in its folder who needs it, so that nobody has to ask all others. */
export function linkRequirements(paths: Paths, { id, options }: Pick<Container, 'id' | 'options'>): void {
  for (const required of options.requires) {
    makeFolders(folderOf(paths, required), 0o700);
    writeFileSync(join(folderOf(paths, required), id), '', { mode: 0o600 });
  }
}

export function unlinkRequirements(paths: Paths, { id, options }: Pick<Container, 'id' | 'options'>): void {
  for (const required of options.requires) rmSync(join(folderOf(paths, required), id), { force: true });
}

/** Ids of the containers that need this one; those that are no more do not count. */
export function dependents(paths: Paths, id: string): string[] {
  let found: string[];
  try {
    found = readdirSync(folderOf(paths, id));
  } catch {
    return [];
  }
  const known = new Set(idsOf(paths));
  return found.filter((one) => known.has(one));
}
