/** Where this process is in the tree of cgroups, and what may be done there (cgroups(7), "Delegation"). */

import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolders } from '../paths.ts';

export const mountPoint = '/sys/fs/cgroup';

/** Processes that stand in the way of their own cgroup's controllers go there; the helper knows it too. */
const beside = 'rootless-self';

/** Path of the v2 hierarchy in /proc/PID/cgroup: the line `0::PATH`. */
export function ownCgroup(text: string): string | undefined {
  return /^0::(\/.*)$/m.exec(text)?.[1];
}

/** /sys/fs/cgroup itself is cgroup2; in a hybrid set-up the v2 tree is elsewhere and has no controllers. */
export function isUnified(mountinfo: string): boolean {
  return mountinfo.split('\n').some((line) => {
    const [left = '', right = ''] = line.split(' - ');
    return left.split(' ')[4] === mountPoint && right.startsWith('cgroup2 ');
  });
}

export function controllersOf(path: string): string[] {
  return readText(join(mountPoint, path, 'cgroup.controllers'))
    .split(/\s+/)
    .filter(Boolean);
}

/**
 * Makes `path` divisible: processes may be in leaves only, so those in it move to one beside the container's ("no internal processes",
 * cgroups(7)), then all its controllers are handed down. `alone`: only if none but ours would have to move; `others` are ours too.
 * @returns the subtree, or undefined if this cgroup is not ours, or lacks a controller
 */
export function claim(path: string, needed: readonly string[], who: 'alone' | 'all', others: readonly number[] = []): string | undefined {
  // A second container of the same scope finds itself in the leaf that the first one made: go on one level up.
  const subtree = path.endsWith(`/${beside}`) ? join(path, '..') : path;
  const folder = join(mountPoint, subtree);
  const available = controllersOf(subtree);
  if (!isWritable(folder) || needed.some((controller) => !available.includes(controller))) return undefined;
  const ours = [process.pid, ...others].map(String);
  if (who === 'alone' && !processesOf(folder).every((pid) => isOurs(pid, ours))) return undefined;
  try {
    evacuate(folder);
    handDown(folder, available, needed);
    return subtree;
  } catch {
    return undefined;
  }
}

/** One at a time: a single one that cannot be had would refuse them all. */
function handDown(folder: string, available: readonly string[], needed: readonly string[]): void {
  for (const controller of available) {
    try {
      writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      if (needed.includes(controller)) throw error;
    }
  }
}

/** Until no process was born meanwhile; those that ended meanwhile do not matter. */
function evacuate(folder: string): void {
  const leaf = join(folder, beside);
  makeFolders(leaf);
  for (let round = 0; round < 50; round++) {
    const inside = processesOf(folder);
    if (inside.length === 0) return;
    for (const pid of inside) {
      try {
        writeFileSync(join(leaf, 'cgroup.procs'), pid);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }
  throw new Error(`processes appear in ${folder} faster than they can be moved`);
}

function processesOf(folder: string): string[] {
  return readText(join(folder, 'cgroup.procs')).split('\n').filter(Boolean);
}

/** One of them, or below one: field 4 of proc_pid_stat(5), the second after the name, is the parent. */
function isOurs(pid: string, known: readonly string[]): boolean {
  for (let at = pid; at !== '0' && at !== ''; ) {
    if (known.includes(at)) return true;
    const stat = readText(`/proc/${at}/stat`);
    at = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? '';
  }
  return false;
}

export function isWritable(folder: string): boolean {
  try {
    for (const name of ['', 'cgroup.procs', 'cgroup.subtree_control']) accessSync(join(folder, name), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
