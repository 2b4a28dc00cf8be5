// A store with many small images, written as the store writes it: blobs by digest, names in index.json.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function fillStore(data, count) {
  const images = join(data, 'store/images');
  const blobs = join(images, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType, value) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const platform = { os: 'linux', architecture: 'amd64' };
  const manifests = Array.from({ length: count }, (_, number) => {
    const created = new Date(Date.UTC(2024, 0, 1) + number * 60_000).toISOString();
    const rootfs = { type: 'layers', diff_ids: [] };
    const config = put('application/vnd.oci.image.config.v1+json', { ...platform, created, config: {}, rootfs });
    const manifest = put(mediaType, { schemaVersion: 2, mediaType, config, layers: [] });
    const annotations = {
      'org.opencontainers.image.ref.name': `registry.example.org/team/app-${number}:1`,
      'org.opencontainers.image.created': created,
      'io.rootless.image.source': manifest.digest,
      'io.rootless.image.id': config.digest,
      'io.rootless.image.size': String(manifest.size + config.size),
    };
    return { ...manifest, platform, annotations };
  });
  writeFileSync(join(images, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(images, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}
