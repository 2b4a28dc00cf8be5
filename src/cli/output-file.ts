/** A file that a command writes to instead of standard output. */

import { closeSync, openSync, renameSync, rmSync, statSync } from 'node:fs';

/** What is half written never stands under the name; a pipe or device is written to as it is. */
export async function toFile(path: string, write: (file: number) => Promise<unknown>): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false });
  const direct = found !== undefined && !found.isFile() && !found.isDirectory();
  const temporary = direct ? path : `${path}.part-${process.pid}`;
  try {
    const file = openSync(temporary, direct ? 'w' : 'wx', 0o600);
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
