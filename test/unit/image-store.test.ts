/** The store on disk: names, ids, collection of what nothing needs, locks, leftovers of the dead, layer folders. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { writeAtomically } from '../../src/image/atomic.ts';
import { type Digest, digestOf } from '../../src/image/digest.ts';
import { fingerprint, layerName, missingLayers, readStamp, stackOf } from '../../src/image/layers.ts';
import { withLock } from '../../src/image/lock.ts';
import { isAlive, leftovers, ownerTag } from '../../src/image/owner.ts';
import { parseReference } from '../../src/image/reference.ts';
import { resolveImage } from '../../src/image/resolve.ts';
import { imageFacts } from '../../src/image/facts.ts';
import { blobFile, findById, findImage, listImages, type NamedImage } from '../../src/image/store.ts';
import { addBlob, addBytes, lease } from '../../src/image/blobs.ts';
import { collectBlobs, sweep } from '../../src/image/collect.ts';
import { changeIndex, nameImage } from '../../src/image/store-write.ts';
import { bootId } from '../../src/liveness.ts';
import { findPaths, type Paths } from '../../src/paths.ts';

async function withStore(body: (paths: Paths, folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  try {
    const paths = findPaths({ HOME: folder, ROOTLESS_DATA: folder, XDG_RUNTIME_DIR: folder });
    await body(paths, join(paths.data, 'images'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function put(paths: Paths, content: string): { readonly digest: Digest; readonly size: number } {
  const bytes = Buffer.from(content);
  const blob = { digest: digestOf(bytes), size: bytes.length };
  addBytes(paths, blob, bytes);
  return blob;
}

/** Stores an image of one layer and names it. */
async function store(paths: Paths, name: string, content: string, architecture = 'amd64'): Promise<NamedImage> {
  const layer = { ...put(paths, content), mediaType: 'application/vnd.oci.image.layer.v1.tar' };
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const config = {
    ...put(paths, JSON.stringify({ os: 'linux', architecture, rootfs })),
    mediaType: 'application/vnd.oci.image.config.v1+json',
  };
  const manifest = put(paths, JSON.stringify({ schemaVersion: 2, config, layers: [layer] }));
  const descriptor = {
    ...manifest,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    platform: { os: 'linux', architecture },
    annotations: {},
  };
  const image = { name: parseReference(name).name, manifest: descriptor, source: manifest.digest, id: config.digest };
  await nameImage(paths, image);
  return image;
}

test('an absent store is empty', () => withStore(async (paths) => assert.equal([listImages(paths), imageFacts(paths)], [[], []])));

test('an image is found by name, by digest and by id', () =>
  withStore(async (paths) => {
    const image = await store(paths, 'localhost:5000/x:1', 'layer');
    await store(paths, 'localhost:5000/y:1', 'other');
    const images = listImages(paths);
    assert.is(findImage(images, parseReference('localhost:5000/x:1'))?.id, image.id);
    assert.is(findImage(images, parseReference('localhost:5000/x:2')), undefined);
    assert.is(findImage(images, parseReference(`localhost:5000/x@${image.source}`))?.id, image.id);
    assert.is(findImage(images, parseReference(`localhost:5000/z@${image.source}`)), undefined);
    assert.is(findById(images, image.id.slice(7, 19))?.id, image.id);
    assert.is(findById(images, 'abc'), undefined);
  }));

test('an image in the store can be run by its id without a registry', () =>
  withStore(async (paths) => {
    const image = await store(paths, 'localhost:5000/x:1', 'layer');
    const found = await resolveImage(parseReference(image.id.slice(7, 19)), { paths, pull: 'never' });
    assert.is(found.kind === 'layers' && found.reference, 'localhost:5000/x:1');
  }));

for (const pull of ['missing', 'always', 'never'] as const) {
  test(`sha256:… is an id of the store and nothing that a registry has, with --pull ${pull}`, () =>
    withStore(async (paths) => {
      const image = await store(paths, 'localhost:5000/x:1', 'layer');
      const found = await resolveImage(parseReference(image.id), { paths, pull });
      assert.is(found.kind === 'layers' && found.id, image.id);
      const missing: unknown = await resolveImage(parseReference(`sha256:${'0'.repeat(64)}`), { paths, pull }).catch(
        (cause: unknown) => cause,
      );
      assert.ok(missing instanceof RootlessError && missing.code === 'IMAGE_NOT_FOUND', String(missing));
    }));
}

test('one name may stand for several platforms', () =>
  withStore(async (paths) => {
    const amd64 = await store(paths, 'x', 'a');
    const s390x = await store(paths, 'x', 'b', 's390x');
    const images = listImages(paths);
    assert.is(images.length, 2);
    assert.is(findImage(images, parseReference('x'), { os: 'linux', architecture: 's390x' })?.id, s390x.id);
    assert.is(findImage(images, parseReference('x'), { os: 'linux', architecture: 'amd64' })?.id, amd64.id);
    assert.is(findImage(images, parseReference('x'), { os: 'linux', architecture: 'riscv64' }), undefined);
  }));

test('a name moves to the newer image of the same platform, and the older one stays without a tag', () =>
  withStore(async (paths) => {
    const old = await store(paths, 'x', 'old');
    const image = await store(paths, 'x', 'new');
    assert.equal(
      listImages(paths).map(({ name, id }) => [name, id]),
      [
        [`docker.io/library/x@${old.source}`, old.id],
        [image.name, image.id],
      ],
    );
    assert.equal(
      imageFacts(paths).map(({ repository, tag }) => [repository, tag]),
      [
        ['x', '<none>'],
        ['x', 'latest'],
      ],
    );
  }));

test('an image that loses its name to one made here has none, unless it has another', () =>
  withStore(async (paths) => {
    const old = await store(paths, 'x', 'old');
    const image = await store(paths, 'y', 'new');
    await nameImage(paths, { ...image, name: old.name }, undefined, 'nameless');
    assert.equal(
      listImages(paths).map(({ name }) => name),
      [image.name, undefined, old.name],
    );
    await nameImage(paths, { ...old, name: image.name }, undefined, 'nameless');
    assert.equal(
      listImages(paths).map(({ name }) => name),
      [old.name, image.name],
    );
  }));

test('a tag hides the digest under which the same repository has the image', () =>
  withStore(async (paths) => {
    const image = await store(paths, 'x', 'layer');
    await nameImage(paths, { ...image, name: `docker.io/library/x@${image.source}` });
    assert.equal(
      listImages(paths).map(({ name }) => name),
      [image.name],
    );
  }));

test('lists need no blob of an image that was named with its brief', () =>
  withStore(async (paths) => {
    const image = await store(paths, 'x', 'layer');
    writeFileSync(blobFile(paths, image.id), 'not JSON');
    assert.equal(imageFacts(paths)[0]?.platform, { os: 'linux', architecture: 'amd64' });
    assert.ok((imageFacts(paths)[0]?.size ?? 0) > image.manifest.size);
  }));

test('removing a name deletes the blobs that nothing else needs, and only those', () =>
  withStore(async (paths) => {
    const first = await store(paths, 'x', 'shared');
    await store(paths, 'y', 'shared');
    const alone = await store(paths, 'z', 'alone');
    const remove = (name: string) =>
      changeIndex(paths, ({ images, lists }) => [{ images: images.filter((image) => image.name !== name), lists }, 0]);
    await remove(alone.name);
    assert.ok((await collectBlobs(paths)) > 0);
    assert.not.ok(existsSync(blobFile(paths, alone.id)));
    assert.not.ok(existsSync(blobFile(paths, digestOf(Buffer.from('alone')))));
    await remove(first.name);
    await collectBlobs(paths);
    assert.ok(existsSync(blobFile(paths, digestOf(Buffer.from('shared')))));
    assert.is(imageFacts(paths).length, 1);
  }));

test('a collection spares what a running pull has just stored', () =>
  withStore(async (paths) => {
    const old = put(paths, 'old and unnamed');
    utimesSync(blobFile(paths, old.digest), 1, 1);
    const running = lease(paths);
    const fresh = put(paths, 'fresh and unnamed');
    await collectBlobs(paths);
    assert.equal([existsSync(blobFile(paths, old.digest)), existsSync(blobFile(paths, fresh.digest))], [false, true]);
    running[Symbol.dispose]();
    await collectBlobs(paths);
    assert.not.ok(existsSync(blobFile(paths, fresh.digest)));
  }));

test('a blob that is wrong or breaks off is not stored, nor half of it', () =>
  withStore(async (paths, folder) => {
    const blob = { digest: digestOf(Buffer.from('right')), size: 5 };
    const attempts: [string, () => AsyncGenerator<Uint8Array>][] = [
      [
        'DIGEST_MISMATCH',
        async function* () {
          yield Buffer.from('wrong');
        },
      ],
      [
        'SIZE_MISMATCH',
        async function* () {
          yield Buffer.from('righ');
        },
      ],
      [
        'SIZE_MISMATCH',
        async function* () {
          yield Buffer.from('right');
          yield Buffer.from('!');
        },
      ],
      [
        'BROKEN',
        async function* () {
          yield Buffer.from('ri');
          throw Object.assign(new Error('broken'), { code: 'BROKEN' });
        },
      ],
    ];
    for (const [code, source] of attempts) {
      const error: unknown = await addBlob(paths, blob, source()).catch((cause: unknown) => cause);
      assert.is((error as { code?: string }).code, code);
    }
    assert.equal(readdirSync(join(folder, 'blobs/sha256')), []);
  }));

test('an index that was damaged is named', () =>
  withStore(async (paths, folder) => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'index.json'), '{"manifests":[{}]}');
    assert.throws(
      () => listImages(paths),
      (error: { code?: string; message: string }) => error.code === 'STORE_INVALID' && error.message.includes('index.json'),
    );
  }));

test('an image whose configuration was lost counts as not pulled', () =>
  withStore(async (paths) => {
    const image = await store(paths, 'localhost:1/x', 'layer');
    rmSync(blobFile(paths, image.id));
    assert.equal(imageFacts(paths), []);
    const error: unknown = await resolveImage(parseReference('localhost:1/x'), { paths, pull: 'never' }).catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, 'IMAGE_NOT_FOUND');
  }));

test('this process is alive, and another start time is another process', () => {
  assert.ok(isAlive(ownerTag()));
  assert.not.ok(isAlive(`${process.pid}-1`));
  assert.not.ok(isAlive('4194305-1'));
  assert.not.ok(isAlive('x'));
});

test('leftovers are those of processes that are gone', () =>
  withStore(async (paths, folder) => {
    const blobs = join(folder, 'blobs/sha256');
    mkdirSync(blobs, { recursive: true });
    for (const name of ['a.tmp-4194305-1-1', `b.tmp-${ownerTag()}-1`, 'c']) writeFileSync(join(blobs, name), '');
    assert.equal(leftovers(blobs), ['a.tmp-4194305-1-1']);
    sweep(paths);
    assert.equal(readdirSync(blobs).sort(), [`b.tmp-${ownerTag()}-1`, 'c']);
  }));

test('a failed write leaves the old file and no temporary one', () =>
  withStore(async (_paths, folder) => {
    mkdirSync(join(folder, 'file'), { recursive: true });
    assert.throws(() => writeAtomically(join(folder, 'file'), 'x'));
    assert.equal(readdirSync(folder), ['file']);
  }));

test('a lock is held by one at a time', () =>
  withStore(async (paths) => {
    const path = join(paths.data, 'lock');
    const counter = join(paths.data, 'counter');
    writeFileSync(counter, '0');
    const add = () => withLock(path, () => writeFileSync(counter, String(Number(readFileSync(counter, 'utf8')) + 1)));
    await Promise.all(Array.from({ length: 20 }, add));
    assert.is(readFileSync(counter, 'utf8'), '20');
    assert.equal(readdirSync(paths.data), ['counter']);
  }));

for (const [who, holder] of [
  ['a process that is gone', { owner: '4194305-1', boot: bootId() }],
  ['an earlier boot', { owner: ownerTag(), boot: 'another' }],
  ['nobody: it is garbage', 'garbage'],
] as const) {
  test(`a lock is taken over from ${who}`, () =>
    withStore(async (paths) => {
      const path = join(paths.data, 'lock');
      writeFileSync(path, JSON.stringify(holder));
      assert.is(await withLock(path, () => 'done'), 'done');
      assert.equal(readdirSync(paths.data), []);
    }));
}

test('a lock of a living process is waited for until the caller gives up', () =>
  withStore(async (paths) => {
    const path = join(paths.data, 'lock');
    writeFileSync(path, JSON.stringify({ owner: ownerTag(), boot: bootId() }));
    const error: unknown = await withLock(path, () => 'never', AbortSignal.timeout(50)).catch((cause: unknown) => cause);
    assert.is((error as Error).name, 'AbortError');
    assert.equal(readdirSync(paths.data), ['lock']);
  }));

test('a lock survives the throw of what it guards', () =>
  withStore(async (paths) => {
    const path = join(paths.data, 'lock');
    const error: unknown = await withLock(path, () => {
      throw new Error('inside');
    }).catch((cause: unknown) => cause);
    assert.is((error as Error).message, 'inside');
    assert.not.ok(existsSync(path));
  }));

const id = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const map = (hostID: number) => ({
  idMap: { uid: [{ containerID: 0, hostID, size: 1 }], gid: [{ containerID: 0, hostID, size: 1 }] },
  mode: 'ranges' as const,
});

test('a mapping has one fingerprint, and another mapping another', () => {
  assert.is(fingerprint(map(1000)), fingerprint({ ...map(1000), mode: 'ranges' }));
  assert.is.not(fingerprint(map(1000)), fingerprint(map(1001)));
  assert.is.not(fingerprint(map(1000)), fingerprint({ ...map(1000), mode: 'single' }));
  assert.is(fingerprint({ ...map(1000), mode: 'direct' }), fingerprint(map(1000)));
  assert.match(fingerprint(map(1000)), /^[0-9a-f]{16}$/);
});

test('layers stand top first, and one that comes twice only where it is uppermost', () => {
  const { lower } = stackOf('/l', [id('a'), id('b'), id('a'), id('c')]);
  assert.equal(lower, [id('c'), id('a'), id('b')].map(layerName));
});

test('a layer without its stamp is missing, and a stamp of another layer is refused', () =>
  withStore(async (paths) => {
    const folder = paths.data;
    mkdirSync(join(folder, layerName(id('a'))));
    assert.equal(missingLayers(folder, [id('a'), id('a')]), [id('a')]);
    writeFileSync(join(folder, `${layerName(id('a'))}.json`), JSON.stringify({ diffId: id('a') }));
    assert.equal(missingLayers(folder, [id('a')]), []);
    writeFileSync(join(folder, `${layerName(id('a'))}.json`), JSON.stringify({ diffId: `sha256:${'a'.repeat(63)}b` }));
    assert.throws(
      () => readStamp(folder, id('a')),
      (error: { code?: string }) => error.code === 'LAYER_COLLISION',
    );
  }));

test('the store is a layout that others read', () =>
  withStore(async (paths, folder) => {
    await store(paths, 'localhost:5000/x:1', 'layer');
    const skopeo = spawnSync('skopeo', ['inspect', '--raw', `oci:${folder}:localhost:5000/x:1`], { encoding: 'utf8' });
    if (skopeo.error === undefined) assert.is(skopeo.status, 0, skopeo.stderr);
    const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { manifests: { annotations: Record<string, string> }[] };
    assert.is(index.manifests[0]?.annotations['org.opencontainers.image.ref.name'], 'localhost:5000/x:1');
  }));

test.run();
