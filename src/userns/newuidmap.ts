/** newuidmap and newgidmap: where they are, and why they could not work. */

import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { findProgram } from '../programs.ts';

/** A found program. Without the set-uid bit it may still carry a file capability, which Node cannot read. */
export type Mapper = { readonly path: string; readonly setuid: boolean };
export type Mappers = { readonly uid: Mapper | undefined; readonly gid: Mapper | undefined };

export function findMappers(searchPath: readonly string[]): Mappers {
  return { uid: findMapper('newuidmap', searchPath), gid: findMapper('newgidmap', searchPath) };
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

function findMapper(name: string, searchPath: readonly string[]): Mapper | undefined {
  const path = findProgram(name, searchPath);
  if (path === undefined) return undefined;
  const { mode, uid } = statSync(path);
  return { path, setuid: (mode & 0o4000) !== 0 && uid === 0 };
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
