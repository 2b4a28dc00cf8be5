// Unpacking one gzip layer of a Debian root filesystem, against umoci, gzip with tar, and inflating alone.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helper, peakMemory, timeAll } from './time.mjs';

export async function measure() {
  const folder = join(tmpdir(), 'unpack');
  mkdirSync(folder, { recursive: true });
  const layer = makeLayer(folder);
  const map = JSON.stringify(idMap());
  const to = (name) => join(folder, name);
  const clean = (name) => `'${helper}' remove --idmap '${map}' '${to(name)}' 2>/dev/null; rm -rf '${to(name)}'`;
  const unpack = [helper, 'unpack', '--to', to('ours'), '--idmap', map, layer.path];
  const commands = [
    { name: 'helper unpack', argv: unpack, prepare: clean('ours') },
    {
      name: 'umoci unpack',
      argv: ['umoci', 'unpack', '--rootless', '--image', `${layer.layout}:latest`, to('umoci')],
      prepare: `chmod -R u+rwx '${to('umoci')}' 2>/dev/null; rm -rf '${to('umoci')}'`,
    },
    {
      name: 'gzip with tar',
      argv: ['sh', '-c', `gzip -dc ${layer.path} | tar -x --exclude './dev/*' -C ${to('tar')}`],
      prepare: `chmod -R u+rwx '${to('tar')}' 2>/dev/null; rm -rf '${to('tar')}'; mkdir '${to('tar')}'`,
    },
    { name: 'inflate alone', argv: ['gzip', '-dc', layer.path], prepare: 'true' },
  ];
  const times = timeAll(commands, { rounds: 1, runs: 3 });
  spawnSync('sh', ['-c', clean('ours')]);
  const peak = peakMemory(unpack);
  for (const { prepare } of commands) spawnSync('sh', ['-c', prepare]);
  const name = 'helper unpack';
  const row = (peer, limit) => ({ section: 'unpack', name, value: times.get(name), peer, other: times.get(peer), unit: 'ms', ...limit });
  return [
    row('umoci unpack', { ratio: 0.2, note: `layer of ${mib(statSync(layer.path).size)}, ${mib(layer.size)} unpacked` }),
    row('gzip with tar', { ratio: 1.0 }),
    row('inflate alone', {}),
    { section: 'unpack', name: 'helper unpack, peak memory', value: peak, unit: 'bytes', limit: 64 << 20 },
  ];
}

/** The test suite's Debian tar, compressed as registries serve it, in a layout that umoci reads. */
function makeLayer(folder) {
  const tar = process.env.ROOTLESS_TEST_DEBIAN;
  const layout = join(folder, 'layout');
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const temporary = join(folder, 'layer.gz');
  spawnSync('sh', ['-c', `gzip -nc "$1" > "$2"`, 'sh', tar, temporary]);
  const put = (mediaType, bytes) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const packed = put('application/vnd.oci.image.layer.v1.tar+gzip', readFileSync(temporary));
  const plain = readFileSync(tar);
  const rootfs = { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(plain).digest('hex')}`] };
  const config = put(
    'application/vnd.oci.image.config.v1+json',
    Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', config: {}, rootfs })),
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = put(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [packed] })));
  const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  return { path: join(blobs, packed.digest.slice('sha256:'.length)), layout, size: plain.length };
}

/** This user's id and the first range of each file, as newuidmap allows. */
function idMap() {
  const name = process.env.USER;
  const extents = (file, own) => {
    const row = readFileSync(file, 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${name}:`));
    const [, first, count] = row?.split(':').map(Number) ?? [];
    return [{ containerID: 0, hostID: own, size: 1 }, ...(row ? [{ containerID: 1, hostID: first, size: count }] : [])];
  };
  return {
    uid: extents('/etc/subuid', process.getuid()),
    gid: extents('/etc/subgid', process.getgid()),
    newuidmap: '/usr/bin/newuidmap',
    newgidmap: '/usr/bin/newgidmap',
  };
}

function mib(bytes) {
  return `${(bytes / (1 << 20)).toFixed(0)} MiB`;
}
