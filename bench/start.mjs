// Start to end of `true`: one bundle in the helper, crun, runc; the same root filesystem in bubblewrap; the command line and podman.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBundle } from './bundle.mjs';
import { podman, podmanImage } from './podman.mjs';
import { helper, rootless, timeAll } from './time.mjs';

export async function measure() {
  const folder = join(tmpdir(), 'start');
  const rootfs = makeBundle(folder);
  const state = (name) => join(folder, `state-${name}`);
  const runtimes = timeAll([
    { name: 'helper run', argv: [helper, '--root', state('helper'), 'run', '--bundle', folder, 'bench'] },
    { name: 'crun run', argv: ['crun', '--root', state('crun'), 'run', '--bundle', folder, 'bench'] },
    { name: 'runc run', argv: ['runc', '--root', state('runc'), 'run', '--bundle', folder, 'bench'] },
    {
      name: 'bwrap',
      argv: ['bwrap', '--ro-bind', rootfs, '/', '--proc', '/proc', '--dev', '/dev', '--unshare-all', '--die-with-parent', 'true'],
    },
  ]);
  podmanImage('bench', rootfs);
  const engines = timeAll([
    { name: 'node -e 0', argv: [process.execPath, '-e', '0'] },
    { name: 'rootless run', argv: [...rootless, 'run', '--rm', '--network', 'none', `rootfs:${rootfs}`, 'true'] },
    { name: 'rootless run, image', argv: [...rootless, 'run', '--rm', '--network', 'none', 'embedded:hello'] },
    { name: 'podman run, crun', argv: [...podman, 'run', '--rm', '--network', 'none', 'localhost/bench', 'true'] },
  ]);
  const row = (times, name, peer, limit) => ({
    section: 'start',
    name,
    value: times.get(name),
    peer,
    other: times.get(peer),
    unit: 'ms',
    ...limit,
  });
  return [
    row(runtimes, 'helper run', 'crun run', { ratio: 1.0 }),
    row(runtimes, 'helper run', 'runc run', { ratio: 0.35 }),
    row(runtimes, 'helper run', 'bwrap', {}),
    row(engines, 'rootless run', 'node -e 0', { plus: 0.025 }),
    row(engines, 'rootless run, image', 'node -e 0', { plus: 0.025 }),
    row(engines, 'rootless run', 'podman run, crun', { ratio: 0.55 }),
  ];
}
