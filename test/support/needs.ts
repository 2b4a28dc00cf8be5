/** What a live test needs of the machine, probed by doing. */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { dist } from './checkout.ts';

export type Need =
  | 'userns'
  | 'overlay'
  | 'fuse'
  | 'tun'
  | 'pasta'
  | 'slirp4netns'
  | 'registry'
  | 'debian'
  | 'busybox'
  | 'containerd'
  | 'python'
  | 'strace'
  | 'embedded';

/** The first thing that is missing, as a reason; undefined when all is there. */
export function unmet(needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    const reason = probes[need]();
    if (reason !== undefined) return reason;
  }
  return undefined;
}

const probes: Readonly<Record<Need, () => string | undefined>> = {
  userns: once(() => works('unshare', ['-U', 'true'], 'user namespaces are not available')),
  overlay: once(overlay),
  fuse: once(() => (usable('/dev/fuse', constants.R_OK | constants.W_OK) ? undefined : '/dev/fuse cannot be opened')),
  tun: once(() => (usable('/dev/net/tun', constants.R_OK | constants.W_OK) ? undefined : '/dev/net/tun cannot be opened')),
  pasta: () => program('pasta'),
  slirp4netns: () => program('slirp4netns'),
  registry: () => program('docker-registry'),
  busybox: () => program('busybox'),
  containerd: () => program('containerd'),
  python: () => program('python3'),
  // Installed, and allowed to look at its children.
  strace: once(() => program('strace') ?? works('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], 'strace cannot trace here')),
  debian: () => (existsSync(process.env['ROOTLESS_TEST_DEBIAN'] ?? '') ? undefined : 'there is no Debian archive (mmdebstrap)'),
  embedded: () => (existsSync(join(dist, 'images/hello/index.json')) ? undefined : 'there is no embedded image'),
};

function overlay(): string | undefined {
  const script = 'mount -t tmpfs t /mnt && cd /mnt && mkdir l u w m && mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w,userxattr m';
  return works('unshare', ['-Urm', 'sh', '-c', script], 'the kernel refuses overlay mounts in a user namespace');
}

function works(command: string, args: readonly string[], otherwise: string): string | undefined {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0 ? undefined : otherwise;
}

function program(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => usable(join(folder, name), constants.X_OK)) ? undefined : `${name} is not installed`;
}

function usable(path: string, access: number): boolean {
  try {
    accessSync(path, access);
    return true;
  } catch {
    return false;
  }
}

function once(probe: () => string | undefined): () => string | undefined {
  let result: { readonly reason: string | undefined } | undefined;
  return () => {
    result ??= { reason: probe() };
    return result.reason;
  };
}
