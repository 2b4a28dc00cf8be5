/** A file that a command writes to instead of standard output. */

import { closeSync, openSync, renameSync, rmSync, statSync } from 'node:fs';

/** What is half written never stands under the name; a pipe or device is written to as it is. */
export async function toFile(path: string, write: (file: number) => Promise<unknown>): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false });
  const direct = found !== undefined && !found.isFile() && !found.isDirectory();
  const temporary = direct ? path : `${path}.part-${process.pid}`;
  try {
    const file = await open(temporary, direct ? 'w' : 'wx', path);
    try {
      await write(file);
    } finally {
      closeSync(file);
    }
    if (!direct) renameSync(temporary, path);
  } catch (error) {
    if (!direct) rmSync(temporary, { force: true });
    throw error;
  }
}

/** @throws RootlessError SAVE_TARGET, in terms of the name that was given */
async function open(file: string, flags: string, shown: string): Promise<number> {
  try {
    return openSync(file, flags, 0o600);
  } catch (error) {
    throw (await import('../image/disk.ts')).explainTarget(error, shown);
  }
}
