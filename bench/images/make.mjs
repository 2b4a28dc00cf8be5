// Two images of the test suite's Debian tar: as it is, and in many layers of about a gigabyte together.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const layers = 24;

/** @returns descriptions of what was pushed */
export function makeImages(folder, host) {
  const tar = process.env.ROOTLESS_TEST_DEBIAN;
  return [image(folder, host, 'debian', [compress(folder, tar)], 3), image(folder, host, 'large', large(folder, tar), 1)];
}

function image(folder, host, name, files, runs) {
  const layout = join(folder, `layout-${name}`);
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const stored = files.map(({ path, diffId }) => {
    const size = statSync(path).size;
    const hex = hashFile(path);
    renameSync(path, join(blobs, hex));
    return { diffId, descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${hex}`, size } };
  });
  const put = (mediaType, value) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const rootfs = { type: 'layers', diff_ids: stored.map(({ diffId }) => diffId) };
  const config = put('application/vnd.oci.image.config.v1+json', { os: 'linux', architecture: 'amd64', config: { Cmd: ['bash'] }, rootfs });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = put(mediaType, { schemaVersion: 2, mediaType, config, layers: stored.map(({ descriptor }) => descriptor) });
  const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  must('skopeo', ['copy', '-q', '--dest-tls-verify=false', `oci:${layout}:latest`, `docker://${host}/${name}:latest`]);
  const bytes = stored.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  return {
    name,
    reference: `${host}/${name}:latest`,
    url: `http://${host}/v2/${name}`,
    blobs: stored.map(({ descriptor }) => descriptor.digest),
    note: `${stored.length} layers, ${(bytes / 1e6).toFixed(0)} MB compressed`,
    runs,
  };
}

/** Parts of the Debian tree, over and over under other names, with something of its own in each layer. */
function large(folder, tar) {
  const tree = join(folder, 'tree');
  mkdirSync(tree);
  must('tar', ['-x', '--exclude', './dev/*', '-C', tree, '-f', tar]);
  const parts = readdirSync(join(tree, 'usr')).map((name) => `usr/${name}`);
  const files = [];
  for (let layer = 0; layer < layers; layer++) {
    writeFileSync(join(tree, 'number'), `${layer}\n`);
    const path = join(folder, `part-${layer}.tar`);
    const chosen = layer % 3 === 0 ? ['usr/lib'] : layer % 3 === 1 ? ['usr/bin', 'usr/share', 'usr/sbin'] : parts.slice(0, 3);
    const args = ['--owner=0', '--group=0', '--sort=name', '--mtime=@0', `--transform=s,^usr,layer-${layer}/usr,`];
    must('tar', ['-C', tree, ...args, '-cf', path, 'number', ...new Set(chosen)]);
    files.push(compress(folder, path));
    spawnSync('rm', ['-f', path]);
  }
  spawnSync('sh', ['-c', 'chmod -R u+rwx "$1"; rm -rf "$1"', 'sh', tree]);
  return files;
}

function compress(folder, tar) {
  const path = join(folder, `packed-${Math.random().toString(36).slice(2)}.gz`);
  must('sh', ['-c', 'gzip -nc6 "$1" > "$2"', 'sh', tar, path]);
  return { path, diffId: `sha256:${hashFile(tar)}` };
}

function hashFile(path) {
  const hash = createHash('sha256');
  hash.update(readFileSync(path));
  return hash.digest('hex');
}

function must(program, args) {
  const run = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`${program}: ${run.stderr}`);
}
