/** A real registry behind a proxy that spoils its answers: healed or refused with the right code, and the store is never harmed. */

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { data, rootless, start } from '../support/cli.ts';
import { type Asked, type Faulty, type Plan, withFaults } from '../support/faults.ts';
import { live } from '../support/live.ts';
import { done, refused, withLayout } from '../support/pushed.ts';
import { withRegistry } from '../support/registry.ts';

const needs = ['userns', 'registry'] as const;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

/** `x:1` of one layer of 4 MB behind a proxy. Afterwards every blob of the store has the digest of its name, and nothing is half there. */
async function scene(plan: (asked: Asked) => Plan | undefined, body: (name: string, faulty: Faulty) => Promise<void>): Promise<void> {
  await withLayout([4_000_000], (layout) =>
    withRegistry({}, async ({ port, push }) => {
      push(layout, 'x:1');
      await withFaults(port, plan, (faulty) => body(`${faulty.host}/x:1`, faulty));
    }),
  );
  const blobs = join(data, 'images/blobs/sha256');
  for (const name of existsSync(blobs) ? readdirSync(blobs) : []) {
    assert.is(
      createHash('sha256')
        .update(readFileSync(join(blobs, name)))
        .digest('hex'),
      name,
    );
  }
  assert.equal(
    readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.tmp-')),
    [],
  );
}

const isBlob = ({ method, url }: Asked) => method === 'GET' && url.includes('/blobs/');
const isManifest = ({ method, url }: Asked) => method === 'GET' && url.includes('/manifests/');
async function absent(name: string): Promise<void> {
  const images = await rootless(['images', '-q', name]);
  assert.is(images.stdout, '');
}

live('a layer that is cut goes on with Range, from the byte that is missing', needs, () =>
  scene(
    (asked) => (isBlob(asked) && asked.count <= 2 ? { cutAnswer: 1_500_000 } : undefined),
    async (name, { log }) => {
      await done(['pull', name]);
      // What was on the wire when it broke is lost, so not all of what the proxy let through arrived.
      const [first = 0, second = 0, ...more] = log.flatMap((line) => Number(/bytes=([0-9]+)-$/.exec(line)?.[1] ?? Number.NaN) || []);
      assert.ok(first > 0 && first <= 1_500_000 && second > first && second <= first + 1_500_000 && more.length === 0, log.join('\n'));
    },
  ),
);

live('a manifest that is cut is asked for again', needs, () =>
  scene(
    (asked) => (isManifest(asked) && asked.count <= 2 ? { cutAnswer: 50 } : undefined),
    async (name, { log }) => {
      await done(['pull', '-q', name]);
      assert.is(log.filter((line) => line.includes('/manifests/')).length, 3);
    },
  ),
);

live('another length than announced is SIZE_MISMATCH', needs, () =>
  scene(
    (asked) => (isBlob(asked) ? { body: Buffer.alloc(5000), headers: { 'content-length': '5000' } } : undefined),
    async (name) => {
      await refused(['pull', name], 'SIZE_MISMATCH');
      await absent(name);
    },
  ),
);

live('one wrong byte is DIGEST_MISMATCH, and the layer is not kept', needs, () =>
  scene(
    (asked) => (isBlob(asked) ? { damage: true } : undefined),
    async (name) => {
      await refused(['pull', name], 'DIGEST_MISMATCH');
      await absent(name);
    },
  ),
);

live('a wire that drips is slow, but no failure', needs, () =>
  scene(
    (asked) => (isBlob(asked) ? { drip: [100_000, 40] } : undefined),
    async (name, { log }) => {
      await done(['pull', '-q', name]);
      assert.not.ok(log.some((line) => line.includes('bytes=')));
    },
  ),
);

live('500, 502, 503 and 429 that pass are tried again', needs, () =>
  scene(
    ({ count }) => {
      const status = [503, 429, 500][count - 1];
      return status === undefined ? undefined : { status, headers: { 'retry-after': count === 1 ? new Date().toUTCString() : '0' } };
    },
    async (name, { log }) => {
      await done(['pull', '-q', name]);
      assert.ok(log.filter((line) => line.includes('/manifests/')).length === 4);
    },
  ),
);

live('redirects that go round are REGISTRY_REDIRECT', needs, () =>
  scene(
    (asked) => (isBlob(asked) ? { status: 307, headers: { location: asked.url } } : undefined),
    async (name, { log }) => {
      await refused(['pull', name], 'REGISTRY_REDIRECT');
      assert.ok(log.length < 12, log.join('\n'));
    },
  ),
);

/** As much as somebody wants to read. */
async function* endless(chunk: Buffer): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < 1 << 30; sent += chunk.length) yield chunk;
}

/** The most memory that a process had, in bytes, asked for again and again until it ends. */
async function peak(args: readonly string[]): Promise<{ readonly code: number | null; readonly bytes: number; readonly said: string }> {
  const child = start(['--debug', ...args]);
  let [bytes, said] = [0, ''];
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const timer = setInterval(() => {
    try {
      bytes = Number(/VmHWM:\s+([0-9]+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024 || bytes;
    } catch {
      // It has ended.
    }
  }, 10);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(timer);
  return { code, bytes, said };
}

live('a manifest of a gigabyte is not read, announced or not', needs, () =>
  scene(
    (asked) =>
      isManifest(asked)
        ? { status: 200, headers: asked.count === 1 ? { 'content-length': String(1 << 30) } : {}, body: endless(Buffer.alloc(1 << 20, 32)) }
        : undefined,
    async (name) => {
      for (const _announced of [true, false]) {
        const { code, bytes, said } = await peak(['pull', name]);
        assert.is(code, 125);
        assert.match(said, /MANIFEST_TOO_LARGE/);
        assert.ok(bytes > 20e6 && bytes < 150e6, `${bytes} bytes`);
      }
    },
  ),
);

/** An index whose entry is the next one: `depth` of them, and a manifest at the end that is never reached. */
function nested(depth: number): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  let inner = Buffer.from('{"schemaVersion":2}');
  for (let at = 0; at < depth; at += 1) {
    const digest = `sha256:${createHash('sha256').update(inner).digest('hex')}`;
    found.set(digest, inner);
    const platform = { os: 'linux', architecture: 'amd64' };
    inner = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: indexType, digest, size: inner.length, platform }] }));
  }
  return found.set('1', inner);
}

live('an index of indexes of indexes is refused', needs, () => {
  const documents = nested(50);
  return scene(
    (asked) => {
      const body = documents.get(asked.url.split('/').at(-1) ?? '');
      return isManifest(asked) && body !== undefined ? { status: 200, headers: { 'content-type': indexType }, body } : undefined;
    },
    async (name, { log }) => {
      assert.match(await refused(['pull', '--platform', 'linux/amd64', name], 'MANIFEST_INVALID'), /nested too deeply/);
      assert.ok(log.filter((line) => line.includes('/manifests/')).length < 8);
    },
  );
});

live('a manifest of schema 1 is refused by its name', needs, () =>
  scene(
    (asked) =>
      isManifest(asked)
        ? {
            status: 200,
            headers: { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' },
            body: Buffer.from('{"schemaVersion":1,"name":"x","tag":"1","fsLayers":[{"blobSum":"sha256:0"}],"signatures":[]}'),
          }
        : undefined,
    async (name) => {
      assert.match(await refused(['pull', name], 'SCHEMA1_UNSUPPORTED'), /push the image again/);
    },
  ),
);

live('a layer that inflates to gigabytes is refused before it is written', needs, () => {
  // 2 GB of zeros in 2 MB: no tar at all, and its content is not what the configuration says.
  const piece = gzipSync(Buffer.alloc(32 << 20));
  const bomb = Buffer.concat(Array.from({ length: 64 }, () => piece));
  const digest = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest(config), size: config.length },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digest(bomb), size: bomb.length }],
    }),
  );
  const blobs = new Map([config, bomb].map((bytes) => [digest(bytes), bytes]));
  return scene(
    (asked) => {
      const body = isManifest(asked) ? manifest : blobs.get(asked.url.split('/').at(-1) ?? '');
      return body && { status: 200, headers: { 'content-type': manifestType, 'content-length': String(body.length) }, body };
    },
    async (name) => {
      const { code, bytes, said } = await peak(['pull', name]);
      assert.is(code, 125);
      assert.match(said, /LAYER_UNPACK_FAILED|DIGEST_MISMATCH/);
      assert.ok(bytes < 150e6, `${bytes} bytes`);
      await absent(name);
    },
  );
});

live('a layer of 110 MB is pulled and pushed in less than 150 MB', needs, () =>
  withLayout(
    [110_000_000],
    (layout) =>
      withRegistry({}, async ({ host, push }) => {
        const name = push(layout, 'large:1');
        const pulled = await peak(['pull', '-q', name]);
        assert.is(pulled.code, 0, pulled.said);
        assert.ok(pulled.bytes > 20e6 && pulled.bytes < 150e6, `pull: ${pulled.bytes} bytes`);
        await withRegistry({}, async ({ host: other }) => {
          assert.is.not(host, other);
          const pushed = await peak(['push', '-q', name, `${other}/large:1`]);
          assert.is(pushed.code, 0, pushed.said);
          assert.ok(pushed.bytes > 20e6 && pushed.bytes < 150e6, `push: ${pushed.bytes} bytes`);
        });
      }),
    'gzip',
  ),
);

live.run();
