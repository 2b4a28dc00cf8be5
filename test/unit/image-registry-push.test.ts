/** Pushing by the letter of the distribution-spec: resumed uploads, parts, indexes, and referrers with and without the API. */

import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BlobSource } from '../../src/image/blob-source.ts';
import { parseReference } from '../../src/image/reference.ts';
import { listReferrers } from '../../src/image/referrers.ts';
import { pushImage, type Pushed } from '../../src/image/push.ts';
import { Session } from '../../src/image/session.ts';
import type { Digest } from '../../src/image/digest.ts';
import { findPaths } from '../../src/paths.ts';
import { type Taken, type UploadPlan, withUploadDouble } from '../support/upload-double.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const environment = {
  ...findPaths({ HOME: '/dev/null/x', XDG_RUNTIME_DIR: '/dev/null/x' }).registry,
  registriesFolders: [],
  registriesFiles: [],
};
const settings = { environment, tlsVerify: false, idle: 30_000, pause: () => Promise.resolve() };
const never: UploadPlan = () => undefined;

function noise(length: number, seed = 1): Buffer {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
  return Buffer.from(Array.from({ length }, next));
}

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;

/** A source in memory, with every place from which a blob was read. */
class Source implements BlobSource {
  root: Uint8Array = Buffer.alloc(0);
  readonly mediaType = manifestType;
  readonly reads: string[] = [];
  readonly #blobs = new Map<string, Buffer>();

  put(content: Buffer | object, mediaType: string) {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    this.#blobs.set(digestOf(bytes), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  }

  image(layers: readonly Buffer[], more: object = {}) {
    const config = this.put({ architecture: 'amd64', layers: layers.length }, 'application/vnd.oci.image.config.v1+json');
    const stored = layers.map((layer) => this.put(layer, 'application/vnd.oci.image.layer.v1.tar+gzip'));
    const document = { schemaVersion: 2, mediaType: manifestType, config, layers: stored, ...more };
    this.root = Buffer.from(JSON.stringify(document));
    return this.put(document, manifestType);
  }

  async *open({ digest }: { digest: string }, from: number): AsyncGenerator<Uint8Array> {
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw new Error(`no blob ${digest}`);
    this.reads.push(`${digest.slice(7, 19)} ${from}`);
    for (let at = from; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  }
}

function push(source: Source, { host }: Taken, name = 'x:1'): Promise<Pushed> {
  return pushImage(source, parseReference(`${host}/${name}`), settings);
}

const big = noise(3_000_000);

test('an upload that is cut goes on with the next byte, and five breaks without a megabyte between them end it', () =>
  withUploadDouble(
    (method, _url, count) => (method === 'PATCH' && count <= 7 ? { cut: 300_000 } : undefined),
    async (taken) => {
      const source = new Source();
      source.image([big]);
      const error = await push(source, taken).catch((cause: unknown) => cause);
      assert.is((error as { code?: string }).code, 'REGISTRY_UNREACHABLE');
      const ranges = taken.log.flatMap((line) => /^PATCH .* ([0-9]+)-[0-9]+$/.exec(line)?.[1] ?? []).map(Number);
      assert.equal(ranges.length, 4);
      assert.ok(
        ranges.every((start, index) => start > (ranges[index - 1] ?? 0)),
        ranges.join(),
      );
    },
  ));

test('a wire that carries a megabyte before it breaks carries everything', () =>
  withUploadDouble(
    (method) => (method === 'PATCH' ? { cut: 1_100_000 } : undefined),
    async (taken) => {
      const source = new Source();
      source.image([noise(9_000_000)]);
      await push(source, taken);
      assert.ok(taken.log.filter((line) => line.startsWith('PATCH')).length > 6);
      assert.is(taken.manifests.size, 2);
    },
  ));

test('small blobs go with the request that ends their upload, and no byte is read twice', () =>
  withUploadDouble(
    never,
    async (taken) => {
      const source = new Source();
      source.image([noise(5000), noise(7000, 2)]);
      const { digest, size } = await push(source, taken);
      assert.not.ok(taken.log.some((line) => line.startsWith('PATCH')));
      assert.is(new Set(source.reads).size, source.reads.length);
      assert.equal([digest, size], [digestOf(Buffer.from(source.root)), source.root.length]);
      assert.is(taken.manifests.get('x:1')?.type, manifestType);
    },
    { relative: true },
  ));

test('a blob that two platforms share is asked for once', () =>
  withUploadDouble(never, async (taken) => {
    const source = new Source();
    const shared = noise(9000, 3);
    const manifests = [source.image([shared, noise(100, 4)]), source.image([shared, noise(100, 5)])];
    source.root = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }));
    Object.assign(source, { mediaType: 'application/vnd.oci.image.index.v1+json' });
    const { digest } = await push(source, taken);
    assert.is(taken.log.filter((line) => line.startsWith('HEAD') && line.includes(digestOf(shared))).length, 1);
    assert.equal(
      taken.log.filter((line) => line.includes('/manifests/')).map((line) => line.replace('PUT /v2/x/manifests/', '')),
      [...manifests.map((manifest) => manifest.digest), '1'],
    );
    assert.is(taken.manifests.get('x:1')?.bytes.length, source.root.length);
    assert.is(digest, digestOf(Buffer.from(source.root)));
  }));

test('a registry that refuses whole layers gets parts, and each says which it is', () =>
  withUploadDouble(
    (method, _url, count) => (method === 'PATCH' && count === 1 ? { status: 413 } : undefined),
    async (taken) => {
      const source = new Source();
      source.image([big]);
      await push(source, taken);
      const parts = taken.log.flatMap((line) => /^PATCH .* ([0-9]+-[0-9]+)$/.exec(line)?.[1] ?? []);
      assert.equal(parts, ['0-1499999', '1500000-2999999']);
    },
  ));

test('a redirected upload takes its body along', () =>
  withUploadDouble(
    (method, url, count) => (method === 'PATCH' && count === 1 ? { status: 307, headers: { location: `${url}?again` } } : undefined),
    async (taken) => {
      const source = new Source();
      source.image([big]);
      await push(source, taken);
      assert.ok(taken.blobs.get(digestOf(big))?.equals(big));
      assert.is(taken.log.filter((line) => line.startsWith('PATCH')).length, 2);
    },
  ));

for (const status of [301, 302, 303]) {
  test(`a ${status} for an upload is refused: it would lose the body`, () =>
    withUploadDouble(
      (method, url) => (method === 'PATCH' ? { status, headers: { location: `${url}?again` } } : undefined),
      async (taken) => {
        const source = new Source();
        source.image([big]);
        const error = await push(source, taken).catch((cause: unknown) => cause);
        assert.is((error as { code?: string }).code, 'REGISTRY_REDIRECT');
      },
    ));
}

test("a blob that the source cannot deliver is the source's failure, and no manifest follows", () =>
  withUploadDouble(never, async (taken) => {
    const source = new Source();
    source.image([big]);
    const { open } = source;
    source.open = async function* (blob, from) {
      if (blob.digest === digestOf(big)) throw Object.assign(new Error('disk on fire'), { code: 'EIO' });
      yield* open.call(source, blob, from);
    };
    const error = await push(source, taken).catch((cause: unknown) => cause);
    assert.match((error as Error).message, /disk on fire/);
    assert.is(taken.manifests.size, 0);
  }));

test('an image cannot be pushed under another digest than it has', () =>
  withUploadDouble(never, async (taken) => {
    const source = new Source();
    source.image([noise(100)]);
    const error = await push(source, taken, `x@sha256:${'a'.repeat(64)}`).catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, 'DIGEST_MISMATCH');
    await push(source, taken, `x@${digestOf(Buffer.from(source.root))}`);
  }));

for (const api of [true, false]) {
  test(`an artifact about an image is ${api ? 'left to the referrers API' : 'noted under the tag of its subject'}`, () =>
    withUploadDouble(
      never,
      async (taken) => {
        const source = new Source();
        const subject = source.image([noise(100)]);
        await push(source, taken);
        const attached: string[] = [];
        for (const kind of ['text/one', 'text/two', 'text/one']) {
          const artifact = new Source();
          attached.push(artifact.image([noise(50, kind.length)], { subject, artifactType: kind }).digest);
          await push(artifact, taken, `x@${attached.at(-1)}`);
        }
        const tag = taken.manifests.get(`x:${subject.digest.replace(':', '-')}`);
        assert.is(tag === undefined, api);
        if (api) return;
        const session = new Session(parseReference(`${taken.host}/x:1`), settings, undefined);
        const all = await listReferrers(session, subject.digest);
        assert.equal(
          all.map(({ digest, artifactType }) => [digest, artifactType]),
          [
            [attached[0], 'text/one'],
            [attached[1], 'text/two'],
          ],
        );
        assert.equal(
          (await listReferrers(session, subject.digest, 'text/two')).map(({ digest }) => digest),
          [attached[1]],
        );
        session.http.close();
      },
      { referrers: api },
    ));
}

test.run();
