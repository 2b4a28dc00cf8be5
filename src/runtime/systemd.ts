/** Containers whose program is an init like systemd: folders in memory, a cgroup that it may divide, its own signal to end by. Pure. */

import { posix } from 'node:path';
import type { ContainerOptions, MountRequest } from './options.ts';
import { chooseCommand, type ImageDefaults } from './process.ts';

/** podman's. */
const inits = ['/sbin/init', '/usr/sbin/init', '/usr/local/sbin/init'];

/** What systemd expects to find empty at its start (systemd.io, "The Container Interface"). */
const memory: readonly (readonly [string, readonly string[]])[] = [
  ['/run', ['rw', 'nosuid', 'nodev', 'exec', 'mode=755', 'tmpcopyup']],
  ['/run/lock', ['rw', 'nosuid', 'nodev', 'noexec', 'mode=1777']],
  ['/tmp', ['rw', 'nosuid', 'nodev', 'exec', 'mode=1777', 'tmpcopyup']],
  ['/var/log/journal', ['rw', 'nosuid', 'nodev', 'noexec', 'mode=755']],
];

/** systemd halts at it; SIGTERM makes it start itself again. */
const halt = 'SIGRTMIN+3';

/** What was asked for, with all that an init needs, if its program is one. What somebody asked for by name stays as it is. */
export function withSystemd(options: ContainerOptions, image: ImageDefaults, id: string): ContainerOptions {
  const asked = options.systemd ?? 'auto';
  if (asked === 'never' || (asked === 'auto' && !isInit(chooseCommand(options, image)[0] ?? ''))) return options;
  const taken = options.mounts.map(({ target }) => posix.normalize(target).replace(/(.)\/$/, '$1'));
  const added = memory
    .filter(([target]) => !taken.includes(target))
    .map(([target, words]): MountRequest => ({ kind: 'tmpfs', target, options: words }));
  return {
    ...options,
    systemd: asked === 'always' ? 'always' : 'found',
    mounts: [...options.mounts, ...added],
    // A name that systemd knows; the uuid becomes its machine id.
    env: ['container=oci', `container_uuid=${uuid(id)}`, ...options.env],
    stopSignal: options.stopSignal ?? image.stopSignal ?? halt,
  };
}

/** It was found out, or said, that the program is an init. */
export function isSystemd({ systemd }: ContainerOptions): boolean {
  return systemd === 'always' || systemd === 'found';
}

function isInit(program: string): boolean {
  return inits.includes(program) || posix.basename(program) === 'systemd';
}

function uuid(id: string): string {
  return id.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
