/** Replaces a file in one step, so that readers see the old or the new. */

import { closeSync, fsync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Without fsync, which a start would wait for: see `keep`. */
export function replace(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, file);
}

/** What must be there after a power cut too: file and folder reach the disk, while other work goes on. A disk that cannot is no failure here. */
export async function keep(file: string): Promise<void> {
  for (const path of [file, dirname(file)]) await synced(path);
}

function synced(path: string): Promise<void> {
  return new Promise((resolve) => {
    try {
      const descriptor = openSync(path, 'r');
      fsync(descriptor, () => {
        closeSync(descriptor);
        resolve();
      });
    } catch {
      resolve();
    }
  });
}
