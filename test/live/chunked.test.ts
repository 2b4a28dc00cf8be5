/** zstd:chunked and eStargz layers: read as any other, and fetched in part where the store has some of their files. */

import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { rootless } from '../support/cli.ts';
import { live } from '../support/live.ts';
import { withRegistry } from '../support/registry.ts';
import { tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

type File = { readonly name: string; readonly data: Buffer; readonly level?: number };
type Layer = { readonly blob: Buffer; readonly diffId: string; readonly annotations: Readonly<Record<string, string>> };

const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const zstd = (input: Buffer, level = 3) => spawnSync('zstd', ['-q', '-c', `-${level}`], { input, maxBuffer: 1 << 28 }).stdout;

/** Each file a frame of its own, the headers between them too, and the table in a frame that holds no data. */
function chunked(files: readonly File[]): Layer {
  const frames: Buffer[] = [];
  const entries: object[] = [];
  const plain: Buffer[] = [];
  let at = 0;
  const add = (bytes: Buffer) => {
    frames.push(bytes);
    at += bytes.length;
  };
  for (const { name, data, level } of files) {
    const whole = tarBytes([{ name, data, mode: 0o755 }]);
    const entry = whole.subarray(0, whole.length - 1024);
    plain.push(entry);
    add(zstd(entry.subarray(0, 512)));
    const offset = at;
    add(zstd(data, level));
    entries.push({ type: 'reg', name, size: data.length, digest: sha256(data), offset, endOffset: at });
    add(zstd(entry.subarray(512 + data.length)));
  }
  plain.push(Buffer.alloc(1024));
  add(zstd(Buffer.alloc(1024)));
  const text = Buffer.from(JSON.stringify({ version: 1, entries }));
  const table = zstd(text);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50, 0);
  head.writeUInt32LE(table.length, 4);
  add(head);
  const annotations = {
    'io.github.containers.zstd-chunked.manifest-position': `${at}:${table.length}:${text.length}:1`,
    'io.github.containers.zstd-chunked.manifest-checksum': sha256(table),
  };
  add(table);
  return { blob: Buffer.concat(frames), diffId: sha256(Buffer.concat(plain)), annotations };
}

/** A layout of one layer, as `oci:DIR`. */
function layout(folder: string, { blob, diffId, annotations }: Layer, suffix: string): string {
  const blobs = join(folder, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, bytes: Buffer) => {
    writeFileSync(join(blobs, sha256(bytes).slice(7)), bytes);
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  };
  const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
  const layer = { ...put(`application/vnd.oci.image.layer.v1.tar+${suffix}`, blob), annotations };
  const config = { ...platform, config: { Cmd: ['/hello'] }, rootfs: { type: 'layers', diff_ids: [diffId] } };
  const image = put('application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(config)));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = put(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: image, layers: [layer] })));
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  return `oci:${folder}:latest`;
}

/** Something between us and the registry that counts bytes of answers, and may refuse to serve parts. */
async function withCounter(target: string, ranges: boolean, body: (host: string, count: () => number) => Promise<void>): Promise<void> {
  let bytes = 0;
  const { hostname, port } = new URL(`http://${target}`);
  const server = createServer((near, answer) => {
    const { range: _, ...rest } = near.headers;
    const headers = ranges ? near.headers : rest;
    const far = request({ hostname, port, path: near.url, method: near.method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.pipe(answer);
    });
    far.on('error', () => answer.destroy());
    near.pipe(far);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await body(`localhost:${(server.address() as AddressInfo).port}`, () => {
      const before = bytes;
      bytes = 0;
      return before;
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function pull(reference: string): Promise<void> {
  const { code, stderr } = await rootless(['pull', '-q', reference]);
  assert.is(code, 0, stderr);
}

const path = (reference: string) => reference.slice(reference.indexOf('/'));

live('of a second chunked image only what is new crosses the wire, and every trick ends in the right files', ['userns', 'registry'], () =>
  withRegistry({}, ({ host, push }) =>
    withTmp(async (folder) => {
      const shared = randomBytes(3_000_000);
      const own = (name: string) => ({ name, data: randomBytes(200_000) });
      const first = chunked([own('a'), { name: 'shared', data: shared }, own('z')]);
      const second = chunked([own('b'), { name: 'moved', data: shared }, own('y')]);
      // The same content and, since it does not shrink, the same length, in other bytes: the digest of the whole finds it out.
      const liar = chunked([own('c'), { name: 'shared', data: shared, level: 19 }, own('x')]);
      const third = chunked([own('d'), { name: 'shared', data: shared }]);
      const images = Object.entries({ first, second, liar, third }).map(([name, layer]) =>
        push(layout(join(folder, name), layer, 'zstd'), `${name}:1`),
      );
      await withCounter(host, true, async (counted, count) => {
        await pull(`${counted}${path(images[0] ?? '')}`);
        assert.ok(count() > 3_300_000, 'the first comes whole');
        await pull(`${counted}${path(images[1] ?? '')}`);
        const parts = count();
        assert.ok(parts > 400_000 && parts < 900_000, `${parts} bytes for the second`);
        await pull(`${counted}${path(images[2] ?? '')}`);
      });
      await withCounter(host, false, async (counted, count) => {
        await pull(`${counted}${path(images[3] ?? '')}`);
        assert.ok(count() > 3_100_000, 'no parts: the whole');
      });
      const { stdout } = await rootless(['images', '--format', '{{.Repository}}']);
      assert.is(stdout.trim().split('\n').length, 4);
    }),
  ),
);

live('an eStargz layer unpacks without what lazy readers need', ['userns', 'registry'], () =>
  withRegistry({}, ({ push }) =>
    withTmp(async (folder) => {
      const members = [
        { name: '.no.prefetch.landmark', data: '\x0f' },
        { name: 'etc/kept', data: 'kept' },
        { name: 'stargz.index.json', data: '{"version":1,"entries":[]}' },
      ];
      const tar = tarBytes(members);
      // A gzip member for each entry, as eStargz has them.
      const blob = Buffer.concat([tar.subarray(0, 1024), tar.subarray(1024, 2048), tar.subarray(2048)].map((part) => gzipSync(part)));
      const image = push(layout(join(folder, 'stargz'), { blob, diffId: sha256(tar), annotations: {} }, 'gzip'), 'stargz:1');
      await pull(image);
      const name = 'lazy';
      const made = await rootless(['create', '--name', name, '--network', 'none', image]);
      assert.is(made.code, 0, made.stderr);
      const { stdout } = await rootless(['export', name]);
      const names = spawnSync('tar', ['-t'], { input: Buffer.from(stdout, 'latin1'), encoding: 'utf8' }).stdout;
      assert.match(names, /^etc\/kept$/m);
      assert.not.match(names, /landmark|stargz/);
    }),
  ),
);

live.run();
