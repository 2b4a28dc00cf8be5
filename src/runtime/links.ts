/** Links that name a container: claimed in one step, and taken over only from one that is no more. */

import { lstatSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { takeChain } from '../chain.ts';
import { isAlive, type Maker, ourselves } from './alive.ts';
import { makeFolders } from '../paths.ts';

/** `isGone` says of the id that has the link whether that container is no more. @returns whether the link is now `id`'s */
export function claimLink(path: string, id: string, isGone: (holder: string) => boolean): boolean {
  for (;;) {
    try {
      symlinkSync(id, path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') makeFolders(dirname(path), 0o700);
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

/**
 * Only if it is that container's. Whoever removes such a link does so under a guard, and whoever makes one finds the name free: nobody
 * loses one that was claimed anew between a look and the removal.
 */
export function takeAway(path: string, holder: string): void {
  const release = guard(join(dirname(path), `.${basename(path)}`));
  try {
    if (holderOf(path) === holder) unlinkSync(path);
  } catch {
    // The folder is gone, or may not be written to.
  } finally {
    release();
  }
}

/** Held for two system calls, so that nobody waits long for it. */
function guard(path: string): () => void {
  const { pid, startTime, bootId } = ourselves();
  const own = `${pid} ${startTime} ${bootId}`;
  const isDead = (holder: string) => !isAlive(makerOf(holder));
  for (;;) {
    try {
      const release = takeChain({ path, make: (file) => made(own, file), holderOf, isDead });
      if (release) return release;
    } catch {
      return () => {};
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  }
}

/** @returns false where there is something of that name */
export function made(text: string, path: string): boolean {
  try {
    symlinkSync(text, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/** `PID STARTTIME BOOT …` */
export function makerOf(holder: string): Maker {
  const [pid = '', startTime = '', bootId = ''] = holder.split(' ');
  return { pid: Number(pid), startTime, bootId };
}
