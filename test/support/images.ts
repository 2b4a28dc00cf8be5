/** Images made on the spot: a busybox root filesystem and OCI layouts of it, with no registry and no network. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { removeTree } from './tmp.ts';

/** The image's config, in the words of the image-spec ("config.md"). */
export type ImageConfig = {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  /** Times in nanoseconds. */
  readonly Healthcheck?: { readonly Test: readonly string[]; readonly Interval?: number; readonly Retries?: number };
  readonly Labels?: Readonly<Record<string, string>>;
};

export type Compression = 'gzip' | 'zstd' | 'none';

const applets =
  'sh ash cat echo env ls id pwd ps mount umount sleep true false test stat touch mkdir rm rmdir ln cp mv chown chmod grep sed awk head tail wc sort dd hostname ip ping nc wget httpd nslookup sha256sum kill trap readlink find df stty tty seq yes cut tr uname whoami nproc tee mknod chroot dmesg date basename dirname printf sync';

/** Fills a folder with a small root filesystem: busybox, passwd, group, a folder with the sticky bit. */
export function busyboxRootfs(folder: string): string {
  for (const name of ['bin', 'etc', 'tmp', 'root', 'home/ana', 'var', 'usr/bin']) mkdirSync(join(folder, name), { recursive: true });
  copyFileSync(busybox(), join(folder, 'bin/busybox'));
  chmodSync(join(folder, 'bin/busybox'), 0o755);
  for (const applet of applets.split(' ')) symlinkSync('busybox', join(folder, 'bin', applet));
  writeFileSync(
    join(folder, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000:Ana:/home/ana:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
  );
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\nana:x:1000:\naudio:x:29:ana\nvideo:x:44:ana\nnogroup:x:65534:\n');
  writeFileSync(join(folder, 'etc/shadow'), 'root:*:::::::\n');
  chmodSync(join(folder, 'tmp'), 0o1777);
  return folder;
}

let layout: string | undefined;

/** `oci:DIR` of the busybox image, made once a test file. */
export function busyboxImage(): string {
  layout ??= makeOnce();
  return `oci:${layout}`;
}

function makeOnce(): string {
  const folder = mkdtempSync(join(tmpdir(), 'image-'));
  process.once('exit', () => removeTree(folder));
  const rootfs = busyboxRootfs(join(folder, 'rootfs'));
  return ociLayout(join(folder, 'layout'), [tarOf(rootfs)], { Cmd: ['sh'], Env: ['PATH=/bin:/usr/bin'] });
}

/** A tar of a folder with root as the owner of everything. */
export function tarOf(folder: string): Buffer {
  const args = ['-C', folder, '--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0', '-cf', '-', '.'];
  const run = spawnSync('tar', args, { maxBuffer: 1 << 30 });
  if (run.status !== 0) throw new Error(`tar: ${run.stderr}`);
  return run.stdout;
}

/** Writes an OCI image layout with these layers (tars, bottom first) and config; returns its folder. */
export function ociLayout(folder: string, layers: readonly Buffer[], config: ImageConfig = {}, compression: Compression = 'gzip'): string {
  const blobs = join(folder, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, bytes: Buffer) => {
    const hex = sha256(bytes);
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const suffix = { gzip: '+gzip', zstd: '+zstd', none: '' }[compression];
  const stored = layers.map((tar) => put(`application/vnd.oci.image.layer.v1.tar${suffix}`, compress(tar, compression)));
  const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
  const rootfs = { type: 'layers', diff_ids: layers.map((tar) => `sha256:${sha256(tar)}`) };
  const image = put('application/vnd.oci.image.config.v1+json', json({ ...platform, config, rootfs }));
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = put(type, json({ schemaVersion: 2, mediaType: type, config: image, layers: stored }));
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...manifest, platform, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  writeFileSync(join(folder, 'index.json'), json({ schemaVersion: 2, manifests: [named] }));
  return folder;
}

function compress(tar: Buffer, compression: Compression): Buffer {
  if (compression === 'gzip') return gzipSync(tar, { level: 1 });
  if (compression === 'none') return tar;
  const run = spawnSync('zstd', ['-q', '-c'], { input: tar, maxBuffer: 1 << 30 });
  if (run.status !== 0) throw new Error(`zstd: ${run.stderr}`);
  return run.stdout;
}

function busybox(): string {
  const run = spawnSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' });
  return run.stdout.trim();
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
