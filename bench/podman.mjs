// The peer: podman with a store of its own that goes with the measurement, so that nobody's containers and images are touched.
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = join(tmpdir(), `bench-${process.getuid()}`);

/** podman's options for a store in `at` (its runroot has to be short). The driver is named: podman 4.3 takes vfs, a copy for each container, in an empty store. */
export const podmanStore = (at) => ['--root', join(at, 'podman'), '--runroot', join(at, 'run'), '--storage-driver', 'overlay'];

/** The beginning of each podman command. */
export const podman = ['podman', ...podmanStore(folder), '--cgroup-manager', 'cgroupfs', '--runtime', 'crun'];

/** Makes an image of a root filesystem; says why if there is none then, and returns whether there is one. */
export function podmanImage(name, rootfs) {
  const made = spawnSync('sh', ['-c', 'tar -C "$0" -cf - . | "$@"', rootfs, ...podman, 'import', '-q', '-', name], { encoding: 'utf8' });
  if (made.status !== 0) console.error(`bench: no podman: ${made.stderr.trim().split('\n').pop()}`);
  return made.status === 0;
}

export function removePodman() {
  spawnSync('podman', ['unshare', 'rm', '-rf', folder], { stdio: 'ignore' });
}
