/** newuidmap and newgidmap: where they are, and why they could not work. */

import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A found program. Without the set-uid bit it may still carry a file capability, which Node cannot read. */
export type Mapper = { readonly path: string; readonly setuid: boolean };
export type Mappers = { readonly uid: Mapper | undefined; readonly gid: Mapper | undefined };

/** Places where distributions put them, before PATH: a fixed place is both faster and safer. */
const places = ['/usr/bin', '/bin', '/usr/sbin', '/usr/local/bin', '/run/wrappers/bin'];

export function findMappers(searchPath: readonly string[]): Mappers {
  const folders = [...places, ...searchPath];
  return { uid: findMapper('newuidmap', folders), gid: findMapper('newgidmap', folders) };
}

/** Why a mapper gives no privilege, by looking closely (a process may be started); undefined if nothing is wrong with it. */
export function diagnoseMapper(mapper: Mapper): 'nosuid' | 'no-privilege' | undefined {
  if (mountFlags(readText('/proc/self/mountinfo'), mapper.path).includes('nosuid')) return 'nosuid';
  return mapper.setuid || hasFileCapability(mapper.path) ? undefined : 'no-privilege';
}

/** Options of the mount that holds `path`: the longest mount point that is a prefix, the last one mounted there. */
export function mountFlags(mountinfo: string, path: string): string[] {
  let best = { point: '', flags: [] as string[] };
  for (const line of mountinfo.split('\n')) {
    const [, , , , point = '', flags = ''] = line.split(' ');
    const holds = point === '/' || path === point || path.startsWith(`${point}/`);
    if (point !== '' && holds && point.length >= best.point.length) best = { point, flags: flags.split(',') };
  }
  return best.flags;
}

function findMapper(name: string, folders: readonly string[]): Mapper | undefined {
  for (const folder of folders) {
    const path = join(folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() && (stat.mode & 0o111) !== 0) return { path, setuid: (stat.mode & 0o4000) !== 0 && stat.uid === 0 };
  }
  return undefined;
}

/** getcap(8) reads security.capability; where it is missing, the program is given the benefit of the doubt. */
function hasFileCapability(path: string): boolean {
  for (const getcap of ['/usr/sbin/getcap', '/sbin/getcap', 'getcap']) {
    const run = spawnSync(getcap, [path], { encoding: 'utf8', timeout: 10_000 });
    if (run.status === 0) return /cap_set[ug]id/.test(run.stdout);
  }
  return true;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
