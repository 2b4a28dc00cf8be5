/** Replaces a file in one step, so that readers see the old or the new. */

import { renameSync, writeFileSync } from 'node:fs';

/** Without fsync, which a start would wait for: what is written here is worth nothing after a power cut. */
export function replace(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, file);
}
