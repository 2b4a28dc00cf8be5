/** Links that name a container: claimed in one step, and taken over only from one that is no more. */

import { linkSync, lstatSync, mkdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** `isGone` says of the id that has the link whether that container is no more. @returns whether the link is now `id`'s */
export function claimLink(path: string, id: string, isGone: (holder: string) => boolean): boolean {
  for (;;) {
    try {
      symlinkSync(id, path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      else if (code !== 'EEXIST') throw error;
    }
    const holder = holderOf(path);
    if (holder === id) return true;
    if (holder === undefined) {
      if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === false) return false;
    } else if (isGone(holder)) takeAway(path, holder);
    else return false;
  }
}

export function holderOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Only if it is that container's. Between a look and a removal another may have claimed it anew: then it is put back. */
export function takeAway(path: string, holder: string): void {
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    renameSync(path, aside);
    if (holderOf(aside) !== holder) linkSync(aside, path);
    unlinkSync(aside);
  } catch {
    // Somebody else was faster.
  }
}
