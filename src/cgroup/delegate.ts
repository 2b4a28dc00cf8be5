/** Finds a cgroup v2 subtree that is ours to divide (cgroups(7), "Delegation"), or asks the user's systemd for one. */

import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { type Controller, type Limits, neededControllers } from './limits.ts';
import { requestScope } from './systemd.ts';

const mountPoint = '/sys/fs/cgroup';

/**
 * `known` are processes of ours that are no reason to ask for another cgroup.
 * @returns a subtree, relative to /sys/fs/cgroup, in which the needed controllers are switched on, and where a container's own group can be made.
 * @throws RootlessError CGROUP_V2_MISSING, CGROUP_NOT_DELEGATED
 */
export async function delegateCgroup(limits: Limits, uid: number, known: readonly number[] = []): Promise<(id: string) => string> {
  const needed = neededControllers(limits);
  const own = ownCgroup(readText('/proc/self/cgroup'));
  if (own === undefined || !isUnified(readText('/proc/self/mountinfo'))) throw notUnified();
  const subtree = claim(own, needed, 'alone', known) ?? (await claimScope(own, needed, uid));
  return (id) => join(subtree, `rootless-${id}`);
}

/**
 * For a container that goes on alone: a subtree where there is one for the asking, with every controller that it has. `others` are the
 * processes that watch over it: they go along, out of the session's cgroup. `known` are others of ours.
 * @returns undefined where this process would have to move strangers, or nobody gives a cgroup
 */
export async function ownSubtree(
  uid: number,
  others: readonly number[],
  known: readonly number[],
): Promise<((id: string) => string) | undefined> {
  const own = ownCgroup(readText('/proc/self/cgroup'));
  if (own === undefined || !isUnified(readText('/proc/self/mountinfo'))) return undefined;
  const everything = (path: string) => useful.filter((controller) => controllersOf(path).includes(controller));
  const there = claim(own, everything(own), 'alone', [...others, ...known]);
  if (there !== undefined) return (id) => join(there, `rootless-${id}`);
  if ((await requestScope(uid, [...others, process.pid])) !== undefined) return undefined;
  const moved = ownCgroup(readText('/proc/self/cgroup')) ?? own;
  const subtree = claim(moved, everything(moved), 'all');
  return subtree === undefined ? undefined : (id) => join(subtree, `rootless-${id}`);
}

const useful: readonly Controller[] = ['memory', 'cpu', 'cpuset', 'pids'];

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

/**
 * Makes `path` divisible: processes may be in leaves only, so ours moves to one beside the container's ("no internal processes",
 * cgroups(7)), then the controllers are handed down. `alone`: only if no other process would have to move too.
 * @returns the subtree, or undefined if this cgroup is not ours, or lacks a controller
 */
function claim(path: string, needed: readonly Controller[], who: 'alone' | 'all', others: readonly number[] = []): string | undefined {
  // A second container of the same scope finds itself in the leaf that the first one made: go on one level up.
  const subtree = path.endsWith('/rootless-self') ? join(path, '..') : path;
  const folder = join(mountPoint, subtree);
  const available = controllersOf(subtree);
  if (!isWritable(folder) || needed.some((controller) => !available.includes(controller))) return undefined;
  const inside = readText(join(folder, 'cgroup.procs')).split('\n').filter(Boolean);
  if (who === 'alone' && !inside.every((pid) => isOurs(pid, [process.pid, ...others].map(String)))) return undefined;
  try {
    const leaf = join(folder, 'rootless-self');
    mkdirSync(leaf, { recursive: true });
    for (const pid of inside) writeFileSync(join(leaf, 'cgroup.procs'), pid);
    if (needed.length > 0) writeFileSync(join(folder, 'cgroup.subtree_control'), needed.map((controller) => `+${controller}`).join(' '));
    return subtree;
  } catch {
    return undefined;
  }
}

/** A scope of our own from systemd; where there is no systemd, in a container say, the whole cgroup that we are in. */
async function claimScope(own: string, needed: readonly Controller[], uid: number): Promise<string> {
  const failure = await requestScope(uid);
  const moved = failure === undefined ? (ownCgroup(readText('/proc/self/cgroup')) ?? own) : own;
  const subtree = claim(moved, needed, 'all');
  if (subtree !== undefined) return subtree;
  const delegated = controllersOf(moved);
  throw failure === undefined ? notDelegated(needed.filter((controller) => !delegated.includes(controller))) : noManager(failure);
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

function controllersOf(path: string): string[] {
  return readText(join(mountPoint, path, 'cgroup.controllers'))
    .trim()
    .split(' ');
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    accessSync(join(folder, 'cgroup.procs'), constants.W_OK);
    accessSync(join(folder, 'cgroup.subtree_control'), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function notUnified(): RootlessError {
  return new RootlessError({
    code: 'CGROUP_V2_MISSING',
    message: 'cannot limit memory, cpus or pids: this machine does not use cgroup v2 alone',
    why: 'only cgroup v2 can be handed to users; /sys/fs/cgroup is not a cgroup2 filesystem',
    fix: 'boot with systemd.unified_cgroup_hierarchy=1, or run without limits',
  });
}

function noManager(reason: string): RootlessError {
  return new RootlessError({
    code: 'CGROUP_NOT_DELEGATED',
    message: 'cannot limit memory, cpus or pids: no cgroup is delegated to you',
    why: `your own cgroup cannot be divided, and systemd gave none: ${reason}`,
    fix: 'log in through ssh or a console, or: sudo loginctl enable-linger $USER',
  });
}

function notDelegated(missing: readonly Controller[]): RootlessError {
  return new RootlessError({
    code: 'CGROUP_NOT_DELEGATED',
    message: `cannot limit ${missing.join(', ') || 'resources'}: not delegated to you`,
    why: 'systemd hands only some controllers to users unless it is told otherwise',
    fix:
      "sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | " +
      'sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload, then log in again',
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
