// Makes dist/images/hello: an OCI image layout of one layer with one static program. The same input gives the same digests.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const layout = join(dist, 'images/hello');
const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch;

const tar = Buffer.concat([tarEntry('hello', 0o755, readFileSync(join(dist, 'hello'))), Buffer.alloc(1024)]);
rmSync(layout, { recursive: true, force: true });
mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });

const layer = blob('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar, { level: 9 }));
const config = blob(
  'application/vnd.oci.image.config.v1+json',
  json({
    created: '1970-01-01T00:00:00Z',
    architecture,
    os: 'linux',
    config: { Entrypoint: ['/hello'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [digest(tar)] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'scripts/embedded-image.mjs' }],
  }),
);
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const manifest = blob(manifestType, json({ schemaVersion: 2, mediaType: manifestType, config, layers: [layer] }));
const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
const index = {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [{ ...manifest, platform: { architecture, os: 'linux' }, annotations }],
};
writeFileSync(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
writeFileSync(join(layout, 'index.json'), json(index));
console.log(`image: embedded:hello ${manifest.digest.slice(0, 19)}, ${(layer.size / 1024).toFixed(0)} KiB`);

function blob(mediaType, bytes) {
  const id = digest(bytes);
  writeFileSync(join(layout, 'blobs/sha256', id.slice('sha256:'.length)), bytes);
  return { mediaType, digest: id, size: bytes.length };
}

function digest(bytes) {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function json(value) {
  return Buffer.from(JSON.stringify(value));
}

/** One regular file in ustar (POSIX.1-1988): owner 0:0, time 0. */
function tarEntry(name, mode, bytes) {
  const header = Buffer.alloc(512);
  const octal = (value, offset, length) => header.write(value.toString(8).padStart(length - 1, '0'), offset);
  header.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(bytes.length, 124, 12);
  octal(0, 136, 12);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}
