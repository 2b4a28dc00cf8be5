/**
 * `host:`: this machine's own files, each top-level folder under a throwaway overlay of its own.
 *
 * One overlay over "/" is not possible: the kernel refuses a lower folder that has other mounts below it and comes from another
 * namespace (EINVAL), and an upper folder that lies below its own lower one (ELOOP).
 */

import { readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { OciMount } from './oci.ts';
import type { RootPlan } from './spec.ts';
import { makeFolders } from '../paths.ts';

/** Kernel filesystems, run-time state and temporary files: every container has its own. So is /var/tmp below. */
const ownInContainer = new Set(['proc', 'sys', 'dev', 'run', 'tmp']);

/** Filesystems that can be below an overlay; the rest is shown read-only as it is. */
const stackable = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'zfs', 'bcachefs', 'tmpfs', 'overlay', 'squashfs', 'erofs']);

type Entry = { readonly name: string; readonly kind: 'folder' | 'link' | 'other' };
type MountPoint = { readonly path: string; readonly type: string };

/** `folder` is the container's; `aside` takes what cannot be stored there because it lies below the folder that is overlaid. */
export function planHostRoot(folder: string, aside: string): RootPlan {
  const path = join(folder, 'rootfs');
  makeFolders(path, 0o755);
  const points = parseMountPoints(readFileSync('/proc/self/mountinfo', 'utf8'));
  const mounts: OciMount[] = [tmpfs('/run', '755'), tmpfs('/tmp', '1777')];
  for (const { name, kind } of topLevel()) {
    const target = `/${name}`;
    if (kind === 'link') symlinkSync(readlinkSync(target), join(path, name));
    if (kind !== 'folder' || ownInContainer.has(name)) continue;
    const store = [join(folder, 'host'), aside].find((place) => !isBelow(place, target));
    if (store === undefined || !canStack(target, points)) {
      mounts.push({ destination: target, type: 'bind', source: target, options: ['rbind', 'ro', 'rprivate'] });
      continue;
    }
    mounts.push(overlay(target, join(store, name)));
  }
  mounts.push(tmpfs('/var/tmp', '1777'));
  return { path, mounts };
}

/** Mount points and filesystem types of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export function parseMountPoints(mountinfo: string): MountPoint[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const path = left.split(' ')[4];
    const type = right.split(' ')[0];
    return path && type ? [{ path: path.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))), type }] : [];
  });
}

/** Nothing is mounted below the folder, and what it is on can be a lower layer. */
export function canStack(folder: string, points: readonly MountPoint[]): boolean {
  const below = points.some(({ path }) => path.startsWith(`${folder}/`));
  const holder = points
    .filter(({ path }) => path === '/' || path === folder)
    .sort((a, b) => a.path.length - b.path.length)
    .at(-1);
  return !below && holder !== undefined && stackable.has(holder.type);
}

function overlay(target: string, store: string): OciMount {
  const [upper, work] = [join(store, 'upper'), join(store, 'work')];
  makeFolders(upper, 0o755);
  makeFolders(work, 0o755);
  const options = ['userxattr', 'volatile', `lowerdir=${target}`, `upperdir=${upper}`, `workdir=${work}`];
  return { destination: target, type: 'overlay', source: 'overlay', options };
}

function tmpfs(destination: string, mode: string): OciMount {
  return { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', `mode=${mode}`] };
}

function topLevel(): Entry[] {
  return readdirSync('/', { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    kind: entry.isSymbolicLink() ? 'link' : entry.isDirectory() ? 'folder' : 'other',
  }));
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
