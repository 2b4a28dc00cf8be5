/** The container's mounts, in the order in which they are made: kernel filesystems, what was asked for, files of ours. Pure. */

import { posix } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { OciMount } from './oci.ts';
import type { ContainerOptions, MountRequest } from './options.ts';

/** A file or folder of ours that appears in the container. */
export type OwnMount = { readonly source: string; readonly target: string; readonly readOnly?: boolean };

/** What stands behind a mount that was asked for: a folder or file of the host, or a tmpfs. */
export type MountBacking =
  | {
      readonly kind: 'path';
      readonly source: string;
      readonly upper?: string;
      readonly work?: string;
      readonly options?: readonly string[];
    }
  | { readonly kind: 'layers'; readonly lower: readonly string[]; readonly upper?: string; readonly work?: string }
  | { readonly kind: 'tmpfs'; readonly options: readonly string[] };

export type MountPlan = {
  readonly options: Pick<ContainerOptions, 'network' | 'privileged' | 'shmSize' | 'devices' | 'mounts'>;
  /** Group id 5 (tty) exists in the map: devpts can give terminals to it. */
  readonly ttyGroup: boolean;
  /** How the tree of cgroups is shown, if it is. */
  readonly cgroup: 'ro' | 'rw' | undefined;
  /** What stands for volumes, images and overlays, by target. */
  readonly volumes: Readonly<Record<string, MountBacking>>;
  /** resolv.conf, hosts, hostname. Left out where the user mounts something on the same path. */
  readonly files: readonly OwnMount[];
};

export function buildMounts(plan: MountPlan): OciMount[] {
  const asked = plan.options.mounts.map((mount) => askedMount(mount, plan.volumes));
  checkTwice(asked);
  const own = plan.files.map((file) => bind(file.source, file.target, [file.readOnly ? 'ro' : 'rw']));
  const taken = new Set(asked.map((mount) => mount.destination));
  const kept = [...own.filter((mount) => !taken.has(mount.destination)), ...asked];
  const kernel = kernelMounts(plan).filter((mount) => !taken.has(mount.destination));
  // A mount on /a must come before one on /a/b, or it would hide it. The sort is stable: equals keep their order.
  const sorted = kept.sort((a, b) => depth(a.destination) - depth(b.destination));
  return [...kernel, ...sorted, ...plan.options.devices.map((device) => bind(device.source, device.target, ['rw', 'nosuid', 'noexec']))];
}

function kernelMounts({ options, ttyGroup, cgroup }: MountPlan): OciMount[] {
  const mode = options.privileged ? 'rw' : 'ro';
  const pts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...(ttyGroup ? ['gid=5'] : [])];
  return [
    mount('/proc', 'proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', pts),
    // sysfs belongs to the network namespace's owner: with the host's network only the host's own /sys can be shown.
    options.network === 'host' || options.network === 'namespace'
      ? mount('/sys', 'none', '/sys', ['rbind', 'nosuid', 'noexec', 'nodev', mode])
      : mount('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', mode]),
    ...(cgroup ? [mount('/sys/fs/cgroup', 'cgroup', 'cgroup', ['nosuid', 'noexec', 'nodev', 'relatime', cgroup])] : []),
    mount('/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
    mount('/dev/shm', 'tmpfs', 'shm', ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${options.shmSize}`]),
  ];
}

function askedMount(request: MountRequest, backings: Readonly<Record<string, MountBacking>>): OciMount {
  const target = clean(request.target);
  if (request.kind === 'tmpfs') {
    const { filesystem = 'tmpfs', options } = request;
    return mount(target, filesystem, filesystem, filesystem === 'devpts' ? devptsOptions(options) : tmpfsOptions(options));
  }
  const backing = backings[request.target];
  if (backing?.kind === 'tmpfs')
    return mount(target, 'tmpfs', 'tmpfs', tmpfsOptions([...backing.options, ...(request.readOnly ? ['ro'] : [])]));
  const asked = [request.readOnly ? 'ro' : 'rw', ...propagation(request), ...(request.options ?? [])];
  if (backing?.kind === 'layers') return overlay(backing.lower, backing, target, asked);
  const source = backing?.source ?? (request.kind === 'bind' ? request.source : '');
  const options = [...asked, ...(backing?.options ?? []).filter((word) => word !== 'rw')];
  return backing?.upper === undefined ? bind(source, target, options) : overlay([source], backing, target, options);
}

/** Of a bind alone it can be chosen; everything is private unless something else is said. */
function propagation({ options = [], kind }: MountRequest): string[] {
  const chosen = options.some((option) => /^r?(private|shared|slave|unbindable)$/.test(option));
  return chosen || kind !== 'bind' ? [] : ['rprivate'];
}

type Upper = { readonly upper?: string; readonly work?: string };

/** What is written goes into `upper`. No option of a bind means anything here but the attributes of a mount. */
function overlay(lower: readonly string[], { upper, work }: Upper, target: string, options: readonly string[]): OciMount {
  const attributes = options.filter((option) => /^(r?ro|rw|(no)?(exec|suid|dev))$/.test(option));
  const layers = `lowerdir=${lower.map((path) => path.replace(/[\\:]/g, '\\$&')).join(':')}`;
  const written = upper === undefined || work === undefined ? [] : [`upperdir=${upper}`, `workdir=${work}`];
  return mount(target, 'overlay', 'overlay', ['userxattr', layers, ...written, ...attributes]);
}

/** docker's: noexec, nosuid and nodev unless the opposite is said. */
function tmpfsOptions(asked: readonly string[]): string[] {
  const opposites: Record<string, string> = { noexec: 'exec', nosuid: 'suid', nodev: 'dev' };
  const defaults = Object.keys(opposites).filter((name) => !asked.includes(name) && !asked.includes(opposites[name] ?? ''));
  return [...defaults, ...asked];
}

/** A terminal is a device: nodev would make it useless, and nothing on it can be run. */
function devptsOptions(asked: readonly string[]): string[] {
  const missing = ['ptmxmode=0666', 'mode=0620'].filter((option) => !asked.some((word) => word.startsWith(`${option.split('=')[0]}=`)));
  return ['nosuid', 'noexec', 'newinstance', ...missing, ...asked];
}

function checkTwice(mounts: readonly OciMount[]): void {
  const twice = mounts.find((one, index) => mounts.findIndex((other) => other.destination === one.destination) < index);
  if (!twice) return;
  throw new RootlessError({
    code: 'MOUNT_TWICE',
    message: `"${twice.destination}" is mounted twice`,
    why: 'each path in the container can be the target of one mount',
  });
}

function bind(source: string, destination: string, options: readonly string[]): OciMount {
  const plain = options.includes('bind') || options.includes('bind-nonrecursive');
  return mount(destination, 'bind', source, [
    plain ? 'bind' : 'rbind',
    ...options.filter((name) => !/^r?bind(-nonrecursive)?$/.test(name)),
  ]);
}

function mount(destination: string, type: string, source: string, options: readonly string[]): OciMount {
  return { destination, type, source, options };
}

/** One spelling of a target, without a slash at its end. */
export function clean(path: string): string {
  return posix.normalize(path).replace(/(.)\/$/, '$1');
}

function depth(path: string): number {
  return path === '/' ? 0 : path.split('/').length;
}
