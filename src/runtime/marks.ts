/** Marks in $DATA/live/ID: who makes or watches a container now, so that what a killed one left is seen. */

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainDisk } from '../image/disk.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { isAlive, type Maker } from './alive.ts';

/** Milliseconds that writing a mark may take. */
const patience = 5000;

export const liveMark = (paths: Paths, id: string): string => join(paths.data, 'live', id);

/** Before anything else: what is made without a mark would never be seen as left behind. */
export function leaveMark(paths: Paths, id: string, maker: Maker): void {
  const text = JSON.stringify(maker);
  const file = liveMark(paths, id);
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') makeFolders(join(paths.data, 'live'), 0o700);
    // Something that is closed to us, or no file: no reason to keep a container for ever.
    else if (['EACCES', 'EPERM', 'EISDIR', 'ELOOP'].includes(code)) rmSync(file, { recursive: true, force: true });
    else {
      clearMark(paths, id);
      throw explainDisk(error, paths);
    }
    writeFileSync(file, text, { mode: 0o600 });
  }
}

export function clearMark(paths: Paths, id: string): void {
  try {
    rmSync(liveMark(paths, id), { recursive: true, force: true });
  } catch {
    // Not ours to remove: the next sweep tries again.
  }
}

/** `gone`: there is a mark, and who left it runs no more. */
export function markOf(paths: Paths, id: string): 'none' | 'alive' | 'gone' {
  const file = liveMark(paths, id);
  try {
    return isAlive(JSON.parse(readFileSync(file, 'utf8')) as Maker) ? 'alive' : 'gone';
  } catch (error) {
    return error instanceof SyntaxError ? ageOf(file) : 'none';
  }
}

/** Who left the mark; undefined where there is none that can be read. */
export function markedBy(paths: Paths, id: string): Maker | undefined {
  try {
    return JSON.parse(readFileSync(liveMark(paths, id), 'utf8')) as Maker;
  } catch {
    return undefined;
  }
}

/** A half-written mark is one that is just being left, or what a power cut made of it. */
function ageOf(file: string): 'none' | 'alive' | 'gone' {
  const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (written === undefined) return 'none';
  return Math.abs(Date.now() - written) < patience ? 'alive' : 'gone';
}

/** Ids of marks whose maker is gone: what a killed rootless may have left. */
export function abandoned(paths: Paths): string[] {
  return marks(paths).filter((id) => markOf(paths, id) === 'gone');
}

/** Ids of all marks. */
export function marks(paths: Paths): string[] {
  try {
    return readdirSync(join(paths.data, 'live'));
  } catch {
    return [];
  }
}
