/** Images in the file system, read without trust: layouts, archives of every tar dialect, damage, and ways out of the folder. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type LocalSource, openLocal } from '../../src/image/archive.ts';
import { type Digest, digestOf, hexOf } from '../../src/image/digest.ts';
import { parsePlatform } from '../../src/image/platform.ts';
import { resolveImage } from '../../src/image/resolve.ts';
import { readTarIndex } from '../../src/image/tar-index.ts';
import { findPaths } from '../../src/paths.ts';

async function withFolder(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'archive-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Blob = { readonly mediaType: string; readonly digest: Digest; readonly size: number };

/** A layout with one image of one layer, under these names; returns its folder and the layer. */
function layout(
  folder: string,
  names: readonly (string | undefined)[] = ['latest'],
  architecture = 'amd64',
): { readonly dir: string; readonly layer: Blob; readonly manifest: Blob } {
  const dir = join(folder, 'layout');
  const blobs = join(dir, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (content: string, mediaType: string): Blob => {
    const bytes = Buffer.from(content);
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, hexOf(digest)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layer = put('the layer', 'application/vnd.oci.image.layer.v1.tar');
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const config = put(JSON.stringify({ os: 'linux', architecture, rootfs }), 'application/vnd.oci.image.config.v1+json');
  const manifest = put(JSON.stringify({ schemaVersion: 2, config, layers: [layer] }), 'application/vnd.oci.image.manifest.v1+json');
  const manifests = names.map((name) => ({
    ...manifest,
    annotations: name === undefined ? {} : { 'org.opencontainers.image.ref.name': name },
  }));
  writeFileSync(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return { dir, layer, manifest };
}

/** What `docker save` wrote before version 25: the second layer is a link to the first. */
function saved(folder: string, tags: readonly string[] = ['bb:latest']): string {
  const dir = join(folder, 'saved');
  const layer = Buffer.from('the layer');
  const name = hexOf(digestOf(layer));
  const rootfs = { type: 'layers', diff_ids: [digestOf(layer), digestOf(layer)] };
  const config = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs });
  const configName = `${hexOf(digestOf(Buffer.from(config)))}.json`;
  mkdirSync(join(dir, 'one'), { recursive: true });
  mkdirSync(join(dir, 'two'));
  writeFileSync(join(dir, `one/layer.tar`), layer);
  symlinkSync('../one/layer.tar', join(dir, 'two/layer.tar'));
  writeFileSync(join(dir, configName), config);
  writeFileSync(
    join(dir, 'manifest.json'),
    JSON.stringify([{ Config: configName, RepoTags: tags, Layers: ['one/layer.tar', 'two/layer.tar'] }]),
  );
  assert.is(name.length, 64);
  return dir;
}

function tar(dir: string, ...flags: readonly string[]): string {
  const file = join(dirname(dir), 'image.tar');
  const run = spawnSync('tar', ['-C', dir, ...flags, '-cf', file, '.'], { encoding: 'utf8' });
  assert.is(run.status, 0, run.stderr);
  return file;
}

async function read(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function opens(source: LocalSource, code: string, platform?: string): string {
  let why = '';
  assert.throws(
    () => openLocal(source, platform === undefined ? {} : { platform: parsePlatform(platform) }),
    (error: { code?: string; message: string; why?: string }) => {
      why = `${error.message} ${error.why ?? ''}`;
      return error.code === code || assert.unreachable(`${error.code}: ${why}`);
    },
  );
  return why;
}

const oci = (dir: string, tag?: string): LocalSource => ({ kind: 'oci', dir, tag });
const ociArchive = (file: string, tag?: string): LocalSource => ({ kind: 'oci-archive', file, tag });
const dockerArchive = (file: string, tag?: string): LocalSource => ({ kind: 'docker-archive', file, tag });

test('a layout gives its layers, verified while they are read', () =>
  withFolder(async (folder) => {
    const { dir, layer } = layout(folder);
    const image = openLocal(oci(dir));
    assert.equal(
      image.layers.map(({ diffId, size }) => [diffId, size]),
      [[layer.digest, 9]],
    );
    assert.is(await read(image.layers[0]?.open() ?? nothing()), 'the layer');
  }));

for (const format of ['ustar', 'pax', 'gnu', 'oldgnu', 'v7']) {
  test(`a layout in a ${format} archive is the same image`, () =>
    withFolder(async (folder) => {
      const { dir } = layout(folder);
      const image = openLocal(ociArchive(tar(dir, `--format=${format}`), 'latest'));
      assert.is(image.id, openLocal(oci(dir)).id);
      assert.is(await read(image.layers[0]?.open() ?? nothing()), 'the layer');
    }));
}

test('docker save is read, and a layer that is a link is its target', () =>
  withFolder(async (folder) => {
    const image = openLocal(dockerArchive(tar(saved(folder))));
    assert.equal(await Promise.all(image.layers.map((layer) => read(layer.open()))), ['the layer', 'the layer']);
  }));

test('images in docker save are told apart by tag, short or whole', () =>
  withFolder((folder) => {
    const file = tar(saved(folder, ['bb:latest', 'localhost:5000/x/bb:2']));
    for (const tag of ['bb:latest', 'bb', 'localhost:5000/x/bb:2', 'bb:2']) assert.is(openLocal(dockerArchive(file, tag)).layers.length, 2);
    assert.match(opens(dockerArchive(file, 'cc'), 'TAG_NOT_FOUND'), /it has bb:latest, localhost:5000/);
  }));

test('a layout with several names asks for one, and takes latest without asking', () =>
  withFolder((folder) => {
    assert.match(opens(oci(layout(folder, ['one', 'two']).dir), 'TAG_MISSING'), /one, two/);
    assert.ok(openLocal(oci(layout(folder, ['one', 'two']).dir, 'two')));
    assert.ok(openLocal(oci(layout(folder, ['one', 'latest']).dir)));
    assert.ok(openLocal(oci(layout(folder, [undefined]).dir)));
    assert.match(opens(oci(layout(folder, ['one']).dir, 'x'), 'TAG_NOT_FOUND'), /it has one/);
  }));

test('a platform that an image does not have is refused', () =>
  withFolder((folder) => {
    const { dir } = layout(folder, ['latest'], 's390x');
    assert.ok(openLocal(oci(dir)));
    assert.match(opens(oci(dir), 'PLATFORM_NOT_FOUND', 'linux/amd64'), /s390x/);
  }));

test('missing things are named', () =>
  withFolder((folder) => {
    const { dir, manifest } = layout(folder);
    assert.match(opens(oci(join(folder, 'none')), 'LAYOUT_NOT_FOUND'), /none/);
    assert.match(opens(ociArchive(join(folder, 'none.tar')), 'ARCHIVE_NOT_FOUND'), /none\.tar/);
    opens(ociArchive(dir), 'ARCHIVE_INVALID');
    rmSync(join(dir, 'blobs/sha256', hexOf(manifest.digest)));
    assert.match(opens(oci(dir), 'LAYOUT_INVALID'), new RegExp(hexOf(manifest.digest)));
    rmSync(join(dir, 'oci-layout'));
    assert.match(opens(oci(dir), 'LAYOUT_INVALID'), /oci-layout/);
  }));

test('changed bytes are found out: in the manifest at once, in a layer while it is read', () =>
  withFolder(async (folder) => {
    const { dir, layer, manifest } = layout(folder);
    writeFileSync(join(dir, 'blobs/sha256', hexOf(layer.digest)), 'THE layer');
    const error: unknown = await read(openLocal(oci(dir)).layers[0]?.open() ?? nothing()).catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, 'DIGEST_MISMATCH');
    const path = join(dir, 'blobs/sha256', hexOf(manifest.digest));
    writeFileSync(path, readFileSync(path, 'utf8').replace('"size":9', '"size":8'));
    opens(oci(dir), 'DIGEST_MISMATCH');
  }));

test('a layout cannot lead to files outside of it', () =>
  withFolder((folder) => {
    const { dir, manifest } = layout(folder);
    const path = join(dir, 'blobs/sha256', hexOf(manifest.digest));
    cpSync(path, join(folder, 'outside'));
    rmSync(path);
    symlinkSync('../../../outside', path);
    opens(oci(dir), 'LAYOUT_INVALID');
  }));

test('an archive cut anywhere is refused or whole, never something else', () =>
  withFolder((folder) => {
    const { dir } = layout(folder);
    const file = tar(dir, '--sort=name');
    const whole = readFileSync(file);
    const { id } = openLocal(ociArchive(file));
    const codes = new Set<string>();
    for (let length = 0; length < whole.length; length += 100) {
      writeFileSync(file, whole.subarray(0, length));
      try {
        assert.is(openLocal(ociArchive(file)).id, id);
      } catch (error) {
        codes.add((error as { code?: string }).code ?? String(error));
      }
    }
    assert.equal([...codes].sort(), ['ARCHIVE_TRUNCATED']);
  }));

test('a single changed byte never gives another image', () =>
  withFolder(async (folder) => {
    const { dir } = layout(folder);
    const file = tar(dir, '--sort=name', '--format=pax');
    const whole = readFileSync(file);
    const image = openLocal(ociArchive(file));
    for (let at = 0; at < whole.length; at += 101) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x41;
      writeFileSync(file, changed);
      let found: string;
      try {
        const opened = openLocal(ociArchive(file));
        found = `${opened.id} ${await read(opened.layers[0]?.open() ?? nothing())}`;
      } catch (error) {
        assert.match(
          (error as { code?: string }).code ?? String(error),
          /^(ARCHIVE|LAYOUT|MANIFEST|CONFIG|DIGEST|SIZE|TAG|IMAGE|PLATFORM|SCHEMA1)_/,
        );
        continue;
      }
      assert.is(found, `${image.id} the layer`);
    }
  }));

test('what is no tar says what it is', () =>
  withFolder((folder) => {
    const file = join(folder, 'x.tar');
    writeFileSync(file, 'this is not a tar'.repeat(100));
    opens(ociArchive(file), 'ARCHIVE_INVALID');
    const packed = tar(saved(folder), '--xz');
    assert.match(opens(dockerArchive(packed), 'ARCHIVE_COMPRESSED'), /xz/);
    writeFileSync(file, '');
    opens(ociArchive(file), 'ARCHIVE_TRUNCATED');
  }));

test('docker save through gzip is inflated first, and nothing of that stays', () =>
  withFolder(async (folder) => {
    const file = tar(saved(folder), '-z');
    const paths = findPaths({ HOME: folder, ROOTLESS_DATA: join(folder, 'data'), XDG_RUNTIME_DIR: folder });
    const resolved = () => resolveImage({ kind: 'docker-archive', file, tag: undefined }, { paths, pull: 'never' });
    const image = await resolved();
    assert.is(image.kind === 'layers' && image.diffIds.length, 2);
    truncateSync(file, 200);
    const error: unknown = await resolved().catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, 'ARCHIVE_TRUNCATED');
    assert.equal(readdirSync(join(folder, 'data/store/images')), []);
  }));

test('long names are found in every dialect that has them', () =>
  withFolder((folder) => {
    const dir = join(folder, 'long');
    const name = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(120)}`;
    mkdirSync(join(dir, dirname(name)), { recursive: true });
    writeFileSync(join(dir, name), 'found');
    for (const format of ['pax', 'gnu']) assert.is(readTarIndex(tar(dir, `--format=${format}`), 'x').find(name)?.size, 5, format);
  }));

test('links that go round in an archive lead nowhere', () =>
  withFolder((folder) => {
    const dir = join(folder, 'loop');
    mkdirSync(dir);
    symlinkSync('b', join(dir, 'a'));
    symlinkSync('a', join(dir, 'b'));
    symlinkSync('../../../../etc/passwd', join(dir, 'c'));
    const index = readTarIndex(tar(dir), 'x');
    assert.equal(
      ['a', 'b', 'c'].map((name) => index.find(name)),
      [undefined, undefined, undefined],
    );
  }));

test('a sparse tail does not hide that an archive is cut', () =>
  withFolder((folder) => {
    const { dir } = layout(folder);
    const file = tar(dir);
    truncateSync(file, 600);
    opens(ociArchive(file), 'ARCHIVE_TRUNCATED');
    assert.equal(readdirSync(folder).sort(), ['image.tar', 'layout']);
  }));

test.run();
