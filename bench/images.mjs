// Images from and to a registry on loopback: pull with unpacking, push, peak memory, and a list of a thousand images.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPath } from '../scripts/packages.mjs';
import { inflateFloor } from './images/floor.mjs';
import { makeImages } from './images/make.mjs';
import { startRegistry } from './images/registry.mjs';
import { fillStore } from './images/store.mjs';
import { podmanStore } from './podman.mjs';
import { peakMemory, rootless, timeAll } from './time.mjs';

const env = (data) => ['env', `ROOTLESS_DATA=${data}`];

export async function measure() {
  const folder = join(tmpdir(), 'images');
  mkdirSync(folder, { recursive: true });
  const registry = await startRegistry(folder);
  try {
    const images = makeImages(folder, registry.host);
    return [...images.flatMap((image) => pulls(folder, image)), ...(await pushes(folder, images.at(-1))), ...lists(folder)];
  } finally {
    registry.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Unpacked as containers use it: what `run` would need, not only the blobs. */
function pulls(folder, { name, reference, url, blobs, note, runs }) {
  const at = (what) => join(folder, what);
  const clean = `${rootless.join(' ')} unshare rm -rf '${at('data')}' 2>/dev/null; rm -rf '${at('data')}'`;
  const podman = ['podman', ...podmanStore(folder)];
  const curls = blobs.map(
    (digest, index) =>
      `mkdir -p ${at('tar')}/${index}; curl -sf ${url}/blobs/${digest} | gzip -dc | tar -x --exclude './dev/*' -C ${at('tar')}/${index}`,
  );
  const commands = [
    { name: `pull ${name}`, argv: [...env(at('data')), ...rootless, 'pull', '-q', reference], prepare: clean },
    {
      name: 'podman pull',
      argv: [...podman, 'pull', '-q', '--tls-verify=false', reference],
      prepare: `podman unshare rm -rf '${at('podman')}' '${at('run')}'`,
    },
    {
      name: 'skopeo copy, umoci unpack',
      argv: [
        'sh',
        '-c',
        `skopeo copy -q --src-tls-verify=false docker://${reference} oci:${at('layout')}:x && umoci unpack --rootless --image ${at('layout')}:x ${at('umoci')}`,
      ],
      prepare: `chmod -R u+rwx '${at('umoci')}' 2>/dev/null; rm -rf '${at('layout')}' '${at('umoci')}'`,
    },
    {
      name: 'curl, gzip, tar',
      argv: ['sh', '-c', curls.join(' && ')],
      prepare: `chmod -R u+rwx '${at('tar')}' 2>/dev/null; rm -rf '${at('tar')}'`,
    },
    {
      name: 'inflate, hash, write alone',
      argv: inflateFloor(url, blobs, at('floor')),
      prepare: `rm -rf '${at('floor')}'; mkdir -p '${at('floor')}'`,
    },
  ];
  const times = timeAll(commands, { rounds: 1, runs });
  spawnSync('sh', ['-c', clean]);
  const peak = peakMemory([...env(at('data')), ...rootless, 'pull', '-q', reference]);
  for (const { prepare } of commands) spawnSync('sh', ['-c', prepare]);
  const first = `pull ${name}`;
  const row = (peer, limit) => ({
    section: 'images',
    name: first,
    value: times.get(first),
    peer,
    other: times.get(peer),
    unit: 'ms',
    ...limit,
  });
  return [
    row('podman pull', { ratio: 0.25, note }),
    row('skopeo copy, umoci unpack', { ratio: 0.25 }),
    row('curl, gzip, tar', { ratio: 1.0 }),
    row('inflate, hash, write alone', {}),
    { section: 'images', name: `${first}, peak memory`, value: peak, unit: 'bytes', limit: 150 << 20 },
  ];
}

/** To a registry that has nothing of it yet, emptied before each run: within one registry both would only mount what is there. */
async function pushes(folder, { reference, runs }) {
  const data = join(folder, 'pushed');
  const other = join(folder, 'other');
  mkdirSync(other);
  const { host, stop } = await startRegistry(other);
  const podman = ['podman', ...podmanStore(join(folder, 'push'))];
  spawnSync(env(data)[0], [...env(data).slice(1), ...rootless, 'pull', '-q', reference]);
  spawnSync(podman[0], [...podman.slice(1), 'pull', '-q', '--tls-verify=false', reference]);
  const prepare = `rm -rf '${join(other, 'registry')}'/*`;
  const commands = [
    { name: 'push', argv: [...env(data), ...rootless, 'push', '-q', reference, `${host}/ours:1`], prepare },
    { name: 'podman push', argv: [...podman, 'push', '-q', '--tls-verify=false', reference, `${host}/podman:1`], prepare },
  ];
  const times = timeAll(commands, { rounds: 1, runs });
  stop();
  spawnSync('sh', ['-c', `${rootless.join(' ')} unshare rm -rf '${data}'; podman unshare rm -rf '${podman[2]}' '${podman[4]}'`]);
  return [
    {
      section: 'images',
      name: 'push',
      value: times.get('push'),
      peer: 'podman push',
      other: times.get('podman push'),
      unit: 'ms',
      ratio: 0.7,
    },
  ];
}

function lists(folder) {
  const data = join(folder, 'many');
  fillStore(data, 1000);
  const times = timeAll([
    { name: 'images, 1,000 of them', argv: [...env(data), ...rootless, 'images'] },
    { name: 'node -e 0', argv: [process.execPath, '-e', '0'] },
  ]);
  const [name, peer] = ['images, 1,000 of them', 'node -e 0'];
  return [{ section: 'images', name, value: times.get(name), peer, other: times.get(peer), unit: 'ms', ratio: 2 }];
}

export const able = () => onPath('docker-registry') && onPath('skopeo');
