// The Debian packages that set-up, tests and benchmarks use, and how to get them: installed as root, listed for anyone else.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';

/** [package, a program or absolute path that proves it is there, what it is for] */
export const runPackages = [
  ['uidmap', 'newuidmap', 'maps a range of ids: without it containers have one id'],
  ['passt', 'pasta', 'network of a container: without it use --network none or host'],
];

export const testPackages = [
  ['fuse-overlayfs', 'fuse-overlayfs', 'where the kernel has no overlay for users'],
  ...runPackages,
  ['busybox-static', 'busybox', 'the program in the test images'],
  ['mmdebstrap', 'mmdebstrap', 'makes the Debian image'],
  ['docker-registry', 'docker-registry', 'a real registry on loopback'],
  ['skopeo', 'skopeo', 'a second opinion on images'],
  ['umoci', 'umoci', 'a second opinion on layers'],
  ['buildah', 'buildah', 'makes images'],
  ['podman', 'podman', 'pulls and pushes images'],
  ['runc', 'runc', 'a second opinion on bundles'],
  ['containerd', 'containerd', 'runs bundles through its shim'],
  ['python3', 'python3', 'drives terminals'],
  ['strace', 'strace', 'ends programs at their system calls, and has those fail'],
  ['zstd', 'zstd', 'makes zstd layers'],
  ['xz-utils', 'xz', 'unpacks Debian packages'],
  ['procps', 'ps', 'lists processes'],
  ['iproute2', 'ip', 'lists network interfaces'],
  ['openssl', 'openssl', 'makes certificates for a registry'],
  ['slirp4netns', 'slirp4netns', 'serves networks where pasta is missing'],
];

export const benchPackages = [
  ...testPackages,
  ['hyperfine', 'hyperfine', 'times'],
  ['crun', 'crun', 'peer'],
  ['bubblewrap', 'bwrap', 'peer'],
  ['iperf3', 'iperf3', 'throughput of networks'],
  ['netavark', '/usr/lib/podman/netavark', "podman's networks"],
];

/** What makes and boots the guest of `npm run test:vm`. */
export const vmPackages = [
  ['mmdebstrap', 'mmdebstrap', 'makes its root filesystem, and fetches QEMU'],
  ['debian-archive-keyring', '/usr/share/keyrings/debian-archive-keyring.gpg', "checks Debian's packages"],
  ['e2fsprogs', 'mke2fs', 'makes its disk'],
  ['cpio', 'cpio', 'makes its initrd'],
  ['python3', 'python3', 'unpacks its kernel'],
  ['xz-utils', 'xz', 'unpacks its kernel'],
  ['zstd', 'zstd', 'unpacks its kernel'],
  ['util-linux', 'setpriv', 'ends it with what started it'],
];

/** Rows whose proof is not on this machine. */
export function missingPackages(rows) {
  return rows.filter(([, proof]) => (proof.startsWith('/') ? !existsSync(proof) : !onPath(proof)));
}

/** Installs what is missing when root can; returns the rows that are still missing. */
export function installPackages(rows) {
  const missing = missingPackages(rows);
  if (missing.length === 0 || process.getuid?.() !== 0 || !onPath('apt-get')) return missing;
  const names = missing.map(([name]) => name);
  console.log(`installing: ${names.join(' ')}`);
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...names];
  for (let attempt = 0; attempt < 3; attempt++) {
    if (attempt > 0 || !aptKnows(names)) apt(['update', '-qq']);
    if (apt(install)) break;
  }
  return missingPackages(rows);
}

/** A list for people who may not install: one command, then why each is wanted. */
export function explainPackages(rows) {
  const lines = rows.map(([name, , why]) => `    ${name.padEnd(16)} ${why}`);
  return [`  sudo apt-get install ${rows.map(([name]) => name).join(' ')}`, ...lines].join('\n');
}

export function onPath(program) {
  return (process.env.PATH ?? '')
    .concat(':/usr/sbin:/sbin')
    .split(':')
    .some((folder) => folder !== '' && runnable(join(folder, program)));
}

function runnable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = ['-o', 'Dpkg::Use-Pty=0', '-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=120'];
  return spawnSync('apt-get', [...quiet, ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

function aptKnows(names) {
  return spawnSync('apt-cache', ['show', '--no-all-versions', ...names], { stdio: 'ignore' }).status === 0;
}
