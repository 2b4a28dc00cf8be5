/** Counts what a container could leave behind: processes, mounts, cgroups, and entries of the folders that rootless writes. */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { base, data, runtime } from './cli.ts';
import { slowness } from './slow.ts';

export type Census = {
  /** `pid name` */
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
  readonly folders: readonly string[];
};

/** Give this to programs in containers as an argument: the census finds them by it. */
export const marker = `census-${process.pid}`;

const ours = /^(rootless|pasta|passt|slirp4netns|fuse-overlayfs)/;

/** Everything now, with names that can be compared. */
export function census(): Census {
  return { processes: processes(), mounts: mounts(), cgroups: cgroups(), folders: folders() };
}

/** What `after` has and `before` has not; empty when nothing was left. */
export function left(before: Census, after: Census): string[] {
  const fresh = (name: string, now: readonly string[], then: readonly string[]) =>
    now.filter((entry) => !then.includes(entry)).map((entry) => `${name} ${entry}`);
  return [
    ...fresh('process', after.processes, before.processes),
    ...fresh('mount', after.mounts, before.mounts),
    ...fresh('cgroup', after.cgroups, before.cgroups),
    ...fresh('folder', after.folders, before.folders),
  ];
}

/** Looks again until nothing is left or the time is over: a killed tree needs a moment to be reaped. */
export async function leftAfter(before: Census, milliseconds = 60_000): Promise<string[]> {
  const end = Date.now() + milliseconds * slowness;
  for (;;) {
    const found = left(before, census());
    if (found.length === 0 || Date.now() > end) return found;
    await pause(20);
  }
}

/** Processes that name this file's data folder or marker, and programs of rootless that run as this user. */
function processes(): string[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return numbers.flatMap((pid) => {
    const name = nameOf(pid);
    const text = ['cmdline', 'environ', 'mountinfo'].map((file) => read(`/proc/${pid}/${file}`)).join('\0');
    const named = text.includes(data) || text.includes(marker);
    return named || (ours.test(name) && owned(pid) && !foreign(text)) ? [`${pid} ${name}`] : [];
  });
}

/** Another suite's, or a container of whoever tries something meanwhile: its environment can be read, and names other folders. */
function foreign(text: string): boolean {
  return text.includes('XDG_RUNTIME_DIR=') || text.includes('ROOTLESS_DATA=');
}

/** The helper may run from a sealed copy in memory, whose `comm` is a number: its executable's name says more. */
function nameOf(pid: string): string {
  try {
    const file = readlinkSync(`/proc/${pid}/exe`);
    if (file.includes('rootless-helper')) return 'rootless-helper';
  } catch {
    // Not ours to look at, or gone.
  }
  return read(`/proc/${pid}/comm`).trim();
}

/** Pasta hides its environment and /proc folder's owner, so the real id is read from its status. */
function owned(pid: string): boolean {
  return Number(/^Uid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]) === process.getuid?.();
}

function mounts(): string[] {
  const rows = read('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => line !== '');
  // What is mounted elsewhere meanwhile is not ours.
  const own = rows.filter((line) => line.includes(base) || line.includes(join(tmpdir(), 'rootless')));
  return own.map((line) => line.split(' ').slice(3, 5).join(' '));
}

function cgroups(): string[] {
  const own = read('/proc/self/cgroup')
    .split('\n')
    .find((line) => line.startsWith('0::'));
  const top = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((path) => exists(join(path, 'cgroup.procs')));
  const all = top === undefined || own === undefined ? [] : list(join(top, own.slice('0::'.length)), 3, true);
  // Other programs make groups there too.
  return all.filter((path) => path.includes('/rootless-'));
}

/** Containers, states, half-written blobs and layers, and whatever rootless put into the temporary folder. */
function folders(): string[] {
  const state = list(runtime, 3).filter((path) => !path.endsWith('.lock'));
  const stored = ['containers', 'layers', 'images'].flatMap((name) => list(join(data, name), name === 'containers' ? 1 : 3));
  const temporary = list(tmpdir(), 1).filter((path) => path.includes('rootless'));
  return [...state, ...stored, ...temporary];
}

function list(folder: string, depth: number, onlyFolders = false): string[] {
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch {
    return [];
  }
  return entries.flatMap((name) => {
    const path = join(folder, name);
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
    const below = isFolder && depth > 1 ? list(path, depth - 1, onlyFolders) : [];
    return onlyFolders && !isFolder ? below : [path, ...below];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
