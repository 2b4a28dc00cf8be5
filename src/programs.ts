/** Programs of others that rootless starts: newuidmap, pasta, fuse-overlayfs. */

import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Places where distributions put them, before PATH: a fixed place is both faster and safer. */
const places = ['/usr/bin', '/bin', '/usr/sbin', '/usr/local/bin', '/run/wrappers/bin'];

/** The absolute folders of PATH. */
export function searchPath(env: NodeJS.ProcessEnv): readonly string[] {
  return (env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
}

/** Its absolute path. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  return [...places, ...folders].map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    const stat = statSync(path);
    return stat.isFile() && (stat.mode & 0o111) !== 0;
  } catch {
    // PATH may name folders that are missing, closed to this user, or no folders at all.
    return false;
  }
}
