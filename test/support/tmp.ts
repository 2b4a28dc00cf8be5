/** A folder that ends with the test, also when mapped ids own files in it. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin } from './checkout.ts';

export async function withTmp<T>(body: (folder: string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 't-'));
  try {
    return await body(folder);
  } finally {
    removeTree(folder);
  }
}

/** Deletes a tree; what the user may not delete is deleted inside the id mapping. */
export function removeTree(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    const run = spawnSync(process.execPath, [bin, 'unshare', 'rm', '-rf', folder], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`cannot remove ${folder}: ${run.stderr}`);
  }
}
