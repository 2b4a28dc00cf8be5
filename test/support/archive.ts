/** Image archives as files: what `docker save` writes, and an OCI layout in a tar. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Writes a docker archive (manifest.json, config, one uncompressed layer) of the tar of a root filesystem. */
export async function dockerArchive(path: string, layerTar: string): Promise<string> {
  const folder = mkdtempSync(join(dirname(path), 'archive-'));
  const diffId = await hashFile(layerTar);
  const config = JSON.stringify({
    os: 'linux',
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    config: { Cmd: ['bash'], Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
  });
  const name = `${createHash('sha256').update(config).digest('hex')}.json`;
  mkdirSync(join(folder, diffId));
  copyFileSync(layerTar, join(folder, diffId, 'layer.tar'));
  writeFileSync(join(folder, name), config);
  writeFileSync(
    join(folder, 'manifest.json'),
    JSON.stringify([{ Config: name, RepoTags: ['debian:test'], Layers: [`${diffId}/layer.tar`] }]),
  );
  tar(folder, path);
  return path;
}

/** An OCI layout folder as one tar file. */
export function ociArchive(path: string, layout: string): string {
  tar(layout, path, false);
  return path;
}

function tar(folder: string, path: string, remove = true): void {
  const run = spawnSync('tar', ['-C', folder, '-cf', path, '.'], { encoding: 'utf8' });
  if (remove) rmSync(folder, { recursive: true });
  if (run.status !== 0) throw new Error(`tar: ${run.stderr}`);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
