/** What `info` says about cgroups: looked at only, nothing is moved or asked for. */

import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isUnified, ownCgroup } from '../cgroup/tree.ts';

export type CgroupFacts = {
  readonly Version: 'v1' | 'v2' | 'hybrid';
  readonly Path: string;
  /** Controllers that this process's own group could hand down. */
  readonly Controllers: readonly string[];
  /** The group is ours to divide as it is; otherwise the user's systemd is asked for one when a limit is. */
  readonly Writable: boolean;
  readonly Summary: string;
};

export function cgroupFacts(): CgroupFacts {
  const path = ownCgroup(read('/proc/self/cgroup'));
  if (path === undefined || !isUnified(read('/proc/self/mountinfo'))) {
    const version = path === undefined ? 'v1' : 'hybrid';
    return { Version: version, Path: path ?? '', Controllers: [], Writable: false, Summary: `${version}: no limits (they need v2)` };
  }
  const folder = join('/sys/fs/cgroup', path);
  const controllers = read(join(folder, 'cgroup.controllers')).split(/\s+/).filter(Boolean);
  const writable = isWritable(join(folder, 'cgroup.procs')) && isWritable(join(folder, 'cgroup.subtree_control'));
  const list = controllers.length === 0 ? 'no controllers' : controllers.join(' ');
  return {
    Version: 'v2',
    Path: path,
    Controllers: controllers,
    Writable: writable,
    Summary: `v2, ${list}; ${writable ? 'this group is ours' : 'limits are asked of the user systemd'}`,
  };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
