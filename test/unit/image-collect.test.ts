/** Which unpacked layers may go: none that an image has, a container uses, or somebody is about to use. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { addBytes, lease } from '../../src/image/blobs.ts';
import { checkImages } from '../../src/image/check.ts';
import { checkLayers } from '../../src/image/check-layers.ts';
import { collectBlobs } from '../../src/image/collect.ts';
import { collectLayers, unusedLayers, withMappers } from '../../src/image/collect-layers.ts';
import { type Digest, digestOf } from '../../src/image/digest.ts';
import { layerLock, layerName, mapFolders, otherFolders, readMap, stackOf, stampFile } from '../../src/image/layers.ts';
import { hold, staleLocks, tryHold } from '../../src/image/lock.ts';
import { changeIndex, nameImage } from '../../src/image/store-write.ts';
import { blobFile, listImages, type NamedImage, readableBlob } from '../../src/image/store.ts';
import { imageUsage } from '../../src/image/usage.ts';
import { findPaths, type Paths } from '../../src/paths.ts';

const id = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const nothing = () => new Set<string>();

/** A store with one mapping whose layers a, b and c are unpacked. */
async function withLayers(body: (paths: Paths, folder: string) => Promise<void>): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'collect-'));
  try {
    const paths = findPaths({ HOME: base, ROOTLESS_DATA: base, XDG_RUNTIME_DIR: base });
    const folder = join(paths.data, 'layers/0123456789abcdef');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'map.json'), '{"uid":[[0,1000,1],[1,100000,65536]],"gid":[[0,1000,1]],"single":false}');
    for (const digit of 'abc') unpack(folder, digit);
    await body(paths, folder);
  } finally {
    rmSync(base, { recursive: true });
  }
}

function unpack(folder: string, digit: string): void {
  mkdirSync(join(folder, layerName(id(digit))));
  writeFileSync(stampFile(folder, layerName(id(digit))), JSON.stringify({ diffId: id(digit), size: 1000 }));
}

/** Names an image of these layers; its blobs are there. */
async function image(paths: Paths, name: string, digits: string): Promise<NamedImage> {
  const put = (content: string) => {
    const bytes = Buffer.from(content);
    addBytes(paths, { digest: digestOf(bytes), size: bytes.length }, bytes);
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const platform = { os: 'linux', architecture: 'amd64' };
  const config = put(JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [...digits].map(id) } }));
  const layers = [...digits].map((digit) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...put(`layer ${digit}`) }));
  const type = 'application/vnd.oci.image.config.v1+json';
  const manifest = put(JSON.stringify({ schemaVersion: 2, config: { mediaType: type, ...config }, layers }));
  const descriptor = { ...manifest, mediaType: 'application/vnd.oci.image.manifest.v1+json', platform, annotations: {} };
  const stored = { name: `docker.io/library/${name}:latest`, manifest: descriptor, source: manifest.digest, id: config.digest };
  await nameImage(paths, stored);
  return stored;
}

const digitsOf = (names: readonly string[]) =>
  names
    .map((name) => name.charAt(0))
    .sort()
    .join('');

test('a layer goes when no image has it and no container uses it', () =>
  withLayers(async (paths, folder) => {
    await image(paths, 'x', 'a');
    const used = () => new Set([join(folder, layerName(id('b')))]);
    assert.is(digitsOf(unusedLayers(paths, folder, used)), 'c');
    assert.is(digitsOf(unusedLayers(paths, folder, nothing)), 'bc');
  }));

test('no layer goes while something is pulled, or a container starts', () =>
  withLayers(async (paths, folder) => {
    assert.equal(
      unusedLayers(paths, folder, () => undefined),
      [],
    );
    const running = lease(paths);
    assert.equal(unusedLayers(paths, folder, nothing), []);
    running[Symbol.dispose]();
    assert.is(digitsOf(unusedLayers(paths, folder, nothing)), 'abc');
  }));

test('a container that starts between the two looks keeps its layers, stamps and all', () =>
  withLayers(async (paths, folder) => {
    let looks = 0;
    const { freed, failures } = await collectLayers(paths, {}, () => {
      looks += 1;
      if (looks === 2)
        assert.equal(
          readdirSync(folder).filter((name) => /^[abc].*\.json$/.test(name)),
          [],
          'stamps are gone before the second look',
        );
      return looks === 1 ? new Set() : undefined;
    });
    assert.equal([freed, failures, looks], [0, [], 2]);
    for (const digit of 'abc') assert.ok(existsSync(stampFile(folder, layerName(id(digit)))));
  }));

test('a layer that somebody unpacks or deletes is left to them', () =>
  withLayers(async (paths, folder) => {
    const locks = [...'abc'].map((digit) => tryHold(layerLock(folder, layerName(id(digit)))));
    assert.is((await collectLayers(paths, {}, nothing)).freed, 0);
    for (const digit of 'abc') assert.ok(existsSync(stampFile(folder, layerName(id(digit)))));
    for (const lock of locks) lock?.[Symbol.dispose]();
  }));

test('a mapping is read back from its folder, and one id needs no helper to be written', () =>
  withLayers(async (paths) => {
    const [folder = ''] = mapFolders(paths);
    const map = readMap(folder);
    assert.equal(map?.uid[1], { containerID: 1, hostID: 100000, size: 65536 });
    assert.is(withMappers({ uid: [], gid: [], ...map }, { newuidmap: '/x' }).newuidmap, '/x');
    const one = [{ containerID: 0, hostID: 1000, size: 1 }];
    assert.is(withMappers({ uid: one, gid: one }, { newuidmap: '/x' }).newuidmap, undefined);
  }));

test('a held lock is waited for, one of the dead is taken', () =>
  withLayers(async (_paths, folder) => {
    const path = join(folder, 'some.lock');
    const first = await hold(path);
    assert.is(tryHold(path), undefined);
    const error: unknown = await hold(path, AbortSignal.timeout(40)).catch((cause: unknown) => cause);
    assert.is((error as Error).name, 'AbortError');
    assert.equal(staleLocks([path]), []);
    first[Symbol.dispose]();
    writeFileSync(path, '{"owner":"4194305-1","boot":"x"}');
    assert.equal(staleLocks([path]), [path]);
    const second = tryHold(path);
    assert.ok(second);
    second?.[Symbol.dispose]();
    assert.equal(
      readdirSync(folder).filter((name) => name.startsWith('some')),
      [],
    );
  }));

test('a check finds what is lost and what is left over, and a whole store is silent', () =>
  withLayers(async (paths, folder) => {
    const kinds = async () =>
      [...(await checkImages(paths, { quick: false })), ...(await checkLayers(paths, { quick: true }, nothing))]
        .map(({ kind }) => kind)
        .sort();
    const stored = await image(paths, 'x', 'abc');
    assert.equal(await kinds(), []);
    rmSync(join(folder, layerName(id('a'))), { recursive: true });
    rmSync(stampFile(folder, layerName(id('b'))));
    writeFileSync(stampFile(folder, layerName(id('c'))), 'no JSON');
    assert.equal(await kinds(), ['layer-missing', 'layer-stamp-damaged', 'layer-unfinished']);
    writeFileSync(blobFile(paths, digestOf(Buffer.from('layer a'))), 'layer b');
    rmSync(blobFile(paths, digestOf(Buffer.from('layer b'))));
    assert.equal((await kinds()).slice(0, 2), ['blob-damaged', 'blob-missing']);
    rmSync(blobFile(paths, stored.id));
    assert.ok((await kinds()).includes('blob-missing'));
    await changeIndex(paths, (index) => [{ ...index, images: [] }, undefined]);
    assert.ok((await kinds()).includes('blob-unused'));
  }));

test('damaged documents of an image are told of, and keep nobody from collecting', () =>
  withLayers(async (paths) => {
    const stored = await image(paths, 'x', 'abc');
    for (const { digest, size } of [stored.manifest, { digest: stored.id, size: statSync(blobFile(paths, stored.id)).size }]) {
      const whole = readFileSync(blobFile(paths, digest));
      writeFileSync(blobFile(paths, digest), '?'.repeat(size));
      const found = [...(await checkImages(paths, { quick: false })), ...(await checkLayers(paths, { quick: true }, nothing))];
      assert.ok(
        found.some(({ kind, what }) => kind === 'blob-damaged' && what === digest),
        digest,
      );
      await collectLayers(paths, {}, nothing);
      await collectBlobs(paths);
      assert.ok(existsSync(blobFile(paths, stored.id)) && existsSync(blobFile(paths, stored.manifest.digest)));
      writeFileSync(blobFile(paths, digest), whole);
    }
  }));

test('what several images share is counted once', () =>
  withLayers(async (paths) => {
    await image(paths, 'x', 'ab');
    await image(paths, 'y', 'bc');
    const { images, total } = imageUsage(paths);
    const [x, y] = images;
    assert.is(x?.shared, 1000 + 'layer b'.length);
    assert.is(total, (x?.shared ?? 0) + (x?.unique ?? 0) + (y?.unique ?? 0));
  }));

test('a store of others gives images, blobs and layers, and ours come first', () =>
  withLayers(async (shared, folder) => {
    const theirs = await image(shared, 'x', 'ab');
    const base = mkdtempSync(join(tmpdir(), 'second-'));
    try {
      const env = { HOME: base, ROOTLESS_DATA: base, XDG_RUNTIME_DIR: base };
      const paths = findPaths({ ...env, ROOTLESS_ADDITIONAL_STORES: `${join(shared.data, '..')}:relative:${join(base, 'none')}` });
      assert.equal(paths.additional, [shared.data, join(base, 'none')]);
      assert.equal(
        listImages(paths).map(({ name }) => name),
        [theirs.name],
      );
      assert.is(readableBlob(paths, theirs.id), blobFile(shared, theirs.id));
      await nameImage(paths, { ...theirs, source: id('f') });
      assert.equal(
        listImages(paths).map(({ source }) => source),
        [id('f')],
      );
      const own = join(paths.data, 'layers/0123456789abcdef');
      assert.equal(stackOf(own, [id('a'), id('b')], [folder]), { base: folder, lower: [layerName(id('b')), layerName(id('a'))] });
      mkdirSync(own, { recursive: true });
      unpack(own, 'b');
      assert.equal(stackOf(own, [id('a'), id('b')], [folder]), {
        base: own,
        lower: [layerName(id('b')), join(folder, layerName(id('a')))],
      });
      assert.is(otherFolders(paths, { idMap: { uid: [], gid: [] }, mode: 'ranges' }).length, 2);
    } finally {
      rmSync(base, { recursive: true });
    }
  }));

test.run();
