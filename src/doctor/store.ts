/** Where images and containers are kept: whether layers can be stacked there, and whether there is room. */

import { dirname } from 'node:path';
import { mountFlags } from '../userns/newuidmap.ts';
import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';
import { install } from './packages.ts';

export const storeChecks: readonly Check[] = [
  { id: 'store', section: 'storage', title: 'the store', look: store },
  { id: 'overlay', section: 'storage', title: 'overlay mounts, tried', look: overlay },
  { id: 'fuse', section: 'storage', title: 'fuse-overlayfs', look: fuse },
  { id: 'disk', section: 'storage', title: 'room', look: disk },
];

const gibibyte = 2 ** 30;

/** statfs(2)'s f_type, of filesystems that people ask about. */
const kinds: Readonly<Record<number, string>> = {
  26985: 'NFS',
  2035054128: 'overlay',
  16914836: 'tmpfs',
  4283649346: 'CIFS',
  4266872130: 'SMB',
  1702057286: 'FUSE',
  1196443219: 'GPFS',
  198183888: 'Lustre',
  12805120: 'Ceph',
  801189825: 'ZFS',
  2435016766: 'btrfs',
  1481003842: 'xfs',
  61267: 'ext4',
};

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there and cannot be made',
  EACCES: 'it belongs to somebody else',
  EROFS: 'its filesystem is read-only',
  ENOSPC: 'its disk is full',
  EDQUOT: 'your quota is used up',
};

const nameOf = (kind: number | undefined): string => kinds[kind ?? 0] ?? `filesystem 0x${(kind ?? 0).toString(16)}`;

function store({ paths, write, read, disk: diskOf }: Machine): Finding {
  const code = write(paths.data);
  const flags = mountFlags(read('/proc/self/mountinfo'), paths.data);
  const kind = nameOf(diskOf(paths.data)?.kind);
  const remount = (flag: string): Pick<Finding, 'advice'> => ({
    advice: `set ROOTLESS_DATA to a folder on a filesystem that is mounted without ${flag}`,
  });
  if (flags.includes('ro')) return { status: 'bad', message: 'it is on a read-only filesystem', ...remount('ro') };
  if (code !== undefined) {
    return {
      status: 'bad',
      message: `no file can be made in "${paths.data}": ${code}`,
      why: reasons[code] ?? 'found by making one',
      advice: 'set ROOTLESS_DATA to a folder of yours on a local disk',
    };
  }
  if (flags.includes('noexec')) {
    return { status: 'bad', message: 'it is on a filesystem mounted with noexec: no program of an image can run', ...remount('noexec') };
  }
  if (flags.includes('nosuid')) {
    return {
      status: 'warn',
      message: 'it is on a filesystem mounted with nosuid: sudo, su and ping in containers have no effect',
      ...remount('nosuid'),
    };
  }
  return ok(`${paths.data} (${kind})`);
}

async function overlay({ paths, probe, disk: diskOf, exists, write }: Machine): Promise<Finding> {
  const code = write(paths.data);
  if (code !== undefined) return off(`not tried: no file can be made in the store (${code})`);
  const folder = exists(`${paths.data}/containers`) ? `${paths.data}/containers` : paths.data;
  const result = await probe(`overlay=${folder}`);
  if (result.ok) return ok('the kernel stacks layers here');
  if (result.step === 'clone' || result.step === 'map-ids') return off('no user namespace could be made');
  const kind = nameOf(diskOf(folder)?.kind);
  return {
    status: 'warn',
    message: `the kernel does not stack layers here (${kind}): ${result.errno ?? result.message ?? 'refused'}`,
    why: 'fuse-overlayfs or a copy of each image is used instead, which is slower',
    advice: 'set ROOTLESS_DATA to a folder on a local ext4, xfs or btrfs',
  };
}

async function fuse(machine: Machine): Promise<Finding> {
  const { find, probe, open, paths } = machine;
  const { status } = await overlay(machine);
  if (status !== 'warn') return off(status === 'ok' ? 'not needed' : 'not tried');
  const program = find('fuse-overlayfs');
  if (program === undefined) {
    return {
      status: 'warn',
      message: 'fuse-overlayfs is not installed: each container is a full copy of its image',
      fix: [install(machine, 'fuse-overlayfs')],
    };
  }
  const code = open('/dev/fuse', 'write');
  if (code !== undefined)
    return { status: 'warn', message: `/dev/fuse cannot be opened: ${code}`, fix: ['modprobe fuse', 'chmod 666 /dev/fuse'] };
  const { ok: works, errno, message } = await probe(`fuse=${program}:${paths.data}`);
  return works ? ok(program) : { status: 'warn', message: `${program} does not work here: ${errno ?? message ?? 'refused'}` };
}

function disk({ paths, disk: diskOf }: Machine): Finding {
  const found = diskOf(paths.data) ?? diskOf(dirname(dirname(paths.data)));
  if (found === undefined) return off('the store is not there yet');
  const { free, freeFiles, files } = found;
  const room = `${(free / gibibyte).toFixed(1)} GiB free`;
  const prune = 'rootless system prune --all, or set ROOTLESS_DATA to a folder on a larger disk';
  if (files > 0 && freeFiles < 10_000) return { status: 'bad', message: `only ${freeFiles} more files fit (inodes)`, advice: prune };
  if (free < gibibyte / 4) return { status: 'bad', message: room, advice: prune };
  if (free < 2 * gibibyte) return { status: 'warn', message: room, advice: prune };
  return ok(room);
}
