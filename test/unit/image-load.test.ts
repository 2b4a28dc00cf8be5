/** Archives and folders into the store: every form that tools write, and a corpus of hostile ones that are refused in words. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inspectImage } from '../../src/cli/inspect-image.ts';
import { RootlessError } from '../../src/errors.ts';
import { digestOf, hexOf } from '../../src/image/digest.ts';
import { folderSink, tarSink } from '../../src/image/file-sink.ts';
import { archiveFiles } from '../../src/image/files.ts';
import { inflate } from '../../src/image/inflate.ts';
import { imagesIn, loadImages } from '../../src/image/load.ts';
import { mediaTypes } from '../../src/image/manifest.ts';
import { saveImages, type SaveFormat } from '../../src/image/save.ts';
import { listImages } from '../../src/image/store.ts';
import { addNames } from '../../src/image/tag.ts';
import { readTarIndex } from '../../src/image/tar-index.ts';
import { tarWriter } from '../../src/image/tar-write.ts';
import { findPaths, type Paths } from '../../src/paths.ts';
import { type Entry, pax, tarBytes } from '../support/tar.ts';

async function withStore(body: (paths: Paths, folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'load-'));
  try {
    await body(findPaths({ HOME: folder, ROOTLESS_DATA: join(folder, 'data'), XDG_RUNTIME_DIR: folder }), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** By the format's own program. */
function compressed(kind: 'gzip' | 'zstd' | 'xz' | 'bzip2', bytes: Buffer): Buffer {
  const run = spawnSync(kind, ['-c', '-q'], { input: bytes, maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${kind}: ${run.stderr}`);
  return run.stdout;
}

const bytesOf = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const sha = (bytes: Buffer | string) => digestOf(Buffer.from(bytes));
const layer = tarBytes([{ name: 'file', data: 'content' }]);
const platform = { os: 'linux', architecture: 'amd64' };

function configOf(diffIds: readonly string[], more: object = {}): string {
  return JSON.stringify({ ...platform, config: { Cmd: ['x'] }, rootfs: { type: 'layers', diff_ids: diffIds }, ...more });
}

/** What docker save wrote before version 25. */
function oldSaved(change: Partial<Record<'config' | 'manifest', unknown>> = {}, more: readonly Entry[] = []): Entry[] {
  const config = (change.config as string | undefined) ?? configOf([sha(layer), sha(layer)]);
  const name = `${hexOf(sha(config))}.json`;
  const manifest = change.manifest ?? [{ Config: name, RepoTags: ['bb:1'], Layers: ['one/layer.tar', 'two/layer.tar'] }];
  return [
    { name: 'one/', type: '5' },
    { name: 'one/layer.tar', data: layer },
    { name: 'two/layer.tar', type: '2', link: '../one/layer.tar' },
    { name, data: config },
    { name: 'manifest.json', data: bytesOf(manifest) },
    ...more,
  ];
}

type Blob = { readonly mediaType: string; readonly digest: string; readonly size: number };

/** An OCI layout, as members of an archive; `change` gets what would be written and returns what is. */
function layout(
  change: { readonly manifest?: (document: Record<string, unknown>) => unknown; readonly entry?: (entry: object) => unknown } = {},
): Entry[] {
  const members: Entry[] = [{ name: 'oci-layout', data: '{"imageLayoutVersion":"1.0.0"}' }];
  const put = (content: Buffer | string, mediaType: string): Blob => {
    members.push({ name: `blobs/sha256/${hexOf(sha(content))}`, data: content });
    return { mediaType, digest: sha(content), size: Buffer.byteLength(content) };
  };
  const stored = put(layer, 'application/vnd.oci.image.layer.v1.tar');
  const config = put(configOf([sha(layer)]), 'application/vnd.oci.image.config.v1+json');
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [stored] };
  const manifest = put(JSON.stringify(change.manifest?.(document) ?? document), mediaTypes.ociManifest);
  const entry = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'bb' } };
  members.push({ name: 'index.json', data: bytesOf({ schemaVersion: 2, manifests: [change.entry?.(entry) ?? entry] }) });
  return members;
}

async function load(paths: Paths, folder: string, content: Buffer | readonly Entry[]): Promise<readonly (string | undefined)[]> {
  const file = join(folder, 'archive');
  writeFileSync(file, Buffer.isBuffer(content) ? content : tarBytes(content));
  return (await loadImages(paths, file, {})).map(({ name }) => name);
}

const names = (paths: Paths) => listImages(paths).map(({ name }) => name);

test("docker's old archive is loaded, with a layer that comes twice as a link", () =>
  withStore(async (paths, folder) => {
    assert.equal(await load(paths, folder, oldSaved()), ['bb:1']);
    const [image] = listImages(paths);
    assert.is(image?.name, 'docker.io/library/bb:1');
    assert.is(image?.id, sha(configOf([sha(layer), sha(layer)])));
  }));

test('a layout in an archive is loaded under its name, and its manifest keeps its digest', () =>
  withStore(async (paths, folder) => {
    assert.equal(await load(paths, folder, layout()), ['bb:latest']);
    const manifest = layout().find(({ data }) => String(data).includes('"schemaVersion":2,"mediaType"'));
    assert.is(listImages(paths)[0]?.manifest.digest, sha(String(manifest?.data)));
  }));

test('an image whose names no registry could have is loaded without one', () =>
  withStore(async (paths, folder) => {
    const odd = (name: string) => layout({ entry: (entry) => ({ ...entry, annotations: { 'org.opencontainers.image.ref.name': name } }) });
    for (const name of ['../../x', 'lower/UPPER', 'a\u001b[2Jb', 'x'.repeat(5000)])
      assert.equal(await load(paths, folder, odd(name)), [undefined]);
    assert.equal(names(paths), [undefined]);
    const tags = oldSaved({
      manifest: [
        {
          Config: `${hexOf(sha(configOf([sha(layer), sha(layer)])))}.json`,
          RepoTags: ['../x', 'ok:1'],
          Layers: ['one/layer.tar', 'two/layer.tar'],
        },
      ],
    });
    assert.equal(await load(paths, folder, tags), ['ok:1']);
  }));

for (const kind of ['gzip', 'zstd', 'xz', 'bzip2'] as const) {
  test(`an archive that ${kind} compressed as a whole is loaded, and a cut one refused`, () =>
    withStore(async (paths, folder) => {
      const packed = compressed(kind, tarBytes(oldSaved()));
      assert.equal(await load(paths, folder, packed), ['bb:1']);
      await refused(paths, folder, packed.subarray(0, packed.length - 12), /^ARCHIVE_(TRUNCATED|INVALID)$/);
    }));
}

test('an archive that unpacks to far more than it has is a bomb', () =>
  withStore(async (paths, folder) => {
    const file = join(folder, 'bomb.gz');
    writeFileSync(file, compressed('gzip', Buffer.alloc(30_000_000)));
    const error: unknown = await inflate(paths, file, 'gzip', 'bomb.gz', undefined, 1000).catch((cause: unknown) => cause);
    assert.is(error instanceof RootlessError && error.code, 'ARCHIVE_BOMB');
    assert.equal(readdirSync(join(paths.data, 'images')), []);
  }));

async function refused(paths: Paths, folder: string, content: Buffer | readonly Entry[], code: string | RegExp): Promise<void> {
  const before = names(paths);
  const error: unknown = await load(paths, folder, content).catch((cause: unknown) => cause);
  if (!(error instanceof RootlessError)) throw error instanceof Error ? error : new Error('it was loaded');
  if (typeof code === 'string') assert.is(error.code, code, error.message);
  else assert.match(error.code, code);
  assert.ok(error.message.length < 500 && !/[\u0000-\u001f]/.test(error.message.replaceAll('\n', '')), error.message);
  assert.equal(names(paths), before);
  const images = join(paths.data, 'images');
  const left = existsSync(images)
    ? readdirSync(images, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.tmp-'))
    : [];
  assert.equal(left, []);
}

const saved = (image: object) => oldSaved({ manifest: [image] });
const goodConfig = `${hexOf(sha(configOf([sha(layer), sha(layer)])))}.json`;
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

const hostile: Readonly<Record<string, readonly [string, Buffer | readonly Entry[]]>> = {
  'nothing at all': ['LAYOUT_INVALID', Buffer.alloc(0)],
  'zeros only': ['LAYOUT_INVALID', Buffer.alloc(4096)],
  noise: ['ARCHIVE_INVALID', Buffer.from('no archive'.repeat(100))],
  'a configuration outside of the archive': ['LAYOUT_INVALID', saved({ Config: '../../../../etc/passwd', RepoTags: ['x'], Layers: [] })],
  'an absolute configuration': ['LAYOUT_INVALID', saved({ Config: '/etc/passwd', RepoTags: ['x'], Layers: [] })],
  'a layer that is a link to a file of the host': [
    'LAYOUT_INVALID',
    [...saved({ Config: goodConfig, RepoTags: ['x'], Layers: ['out', 'out'] }), { name: 'out', type: '2', link: '/etc/passwd' }],
  ],
  'a layer that is a link to itself': [
    'LAYOUT_INVALID',
    [
      ...saved({ Config: goodConfig, RepoTags: ['x'], Layers: ['a', 'a'] }),
      { name: 'a', type: '2', link: 'b' },
      { name: 'b', type: '2', link: 'a' },
    ],
  ],
  'a layer that is a device': [
    'LAYOUT_INVALID',
    [...saved({ Config: goodConfig, RepoTags: ['x'], Layers: ['dev', 'dev'] }), { name: 'dev', type: '4', major: 8, minor: 0 }],
  ],
  'a layer that is a folder': ['LAYOUT_INVALID', saved({ Config: goodConfig, RepoTags: ['x'], Layers: ['one', 'one'] })],
  'a hard link to what is not there': [
    'LAYOUT_INVALID',
    [...saved({ Config: goodConfig, RepoTags: ['x'], Layers: ['h', 'h'] }), { name: 'h', type: '1', link: 'nowhere' }],
  ],
  'another layer under the same name, the last one wins': [
    'DIGEST_MISMATCH',
    oldSaved({}, [{ name: 'one/layer.tar', data: Buffer.alloc(layer.length, 'x') }]),
  ],
  'a shorter layer under the same name': ['DIGEST_MISMATCH', oldSaved({}, [{ name: 'one/layer.tar', data: 'short' }])],
  'fewer layers than the configuration': ['LAYOUT_INVALID', saved({ Config: goodConfig, RepoTags: ['x'], Layers: ['one/layer.tar'] })],
  'layers that are no texts': ['MANIFEST_INVALID', saved({ Config: goodConfig, RepoTags: ['x'], Layers: [1, {}] })],
  'a configuration that is not what its name says': [
    'DIGEST_MISMATCH',
    [...saved({ Config: `${'a'.repeat(64)}.json`, RepoTags: ['x'], Layers: [] }), { name: `${'a'.repeat(64)}.json`, data: configOf([]) }],
  ],
  'a member larger than the archive': ['ARCHIVE_TRUNCATED', [{ name: 'manifest.json', data: '[]', size: 1e9 }]],
  'a size that is no number': ['ARCHIVE_INVALID', [pax({ size: '-5' }), { name: 'manifest.json', data: '[]' }]],
  'a size of a petabyte': ['ARCHIVE_INVALID', [pax({ size: '1125899906842624' }), { name: 'manifest.json', data: '[]' }]],
  'a list of 5 MB': ['MANIFEST_TOO_LARGE', [{ name: 'manifest.json', data: Buffer.alloc(5_000_000, ' ') }]],
  'a list nested a million deep': ['MANIFEST_INVALID', [{ name: 'manifest.json', data: '['.repeat(1_000_000) }]],
  'a list with a prototype': ['MANIFEST_INVALID', [{ name: 'manifest.json', data: '[{"__proto__":{"Config":"x","Layers":[]}}]' }]],
  'a layer that xz compressed': [
    'LAYOUT_INVALID',
    [...saved({ Config: goodConfig, RepoTags: ['x'], Layers: ['xz', 'xz'] }), { name: 'xz', data: Buffer.from('fd377a585a0000', 'hex') }],
  ],
  'a layout of another version': [
    'LAYOUT_INVALID',
    layout().map((member) => (member.name === 'oci-layout' ? { ...member, data: '{"imageLayoutVersion":"9"}' } : member)),
  ],
  'a layout whose entry has a digest of no kind': [
    'MANIFEST_INVALID',
    layout({ entry: (entry) => ({ ...entry, digest: 'sha256:../../../etc/passwd' }) }),
  ],
  'a layout whose entry has a negative size': ['MANIFEST_INVALID', layout({ entry: (entry) => ({ ...entry, size: -1 }) })],
  'a layout whose entry has too large a size': ['MANIFEST_INVALID', layout({ entry: (entry) => ({ ...entry, size: 2 ** 53 }) })],
  'a layout that lacks its manifest': ['LAYOUT_INVALID', layout({ entry: (entry) => ({ ...entry, digest: digest('a') }) })],
  'a manifest whose size is wrong': ['SIZE_MISMATCH', layout({ entry: (entry) => ({ ...entry, size: 5 }) })],
  'a manifest of schema 1': ['SCHEMA1_UNSUPPORTED', layout({ manifest: () => ({ schemaVersion: 1, fsLayers: [] }) })],
  'a chart, not an image': [
    'IMAGE_UNSUPPORTED',
    layout({
      manifest: (document) => ({
        ...document,
        config: { ...(document['config'] as object), mediaType: 'application/vnd.cncf.helm.config.v1+json' },
      }),
    }),
  ],
  'a manifest that is both an index and a manifest': [
    'MANIFEST_INVALID',
    layout({ manifest: (document) => ({ ...document, manifests: [] }) }),
  ],
  'a layer with a wrong size': [
    'SIZE_MISMATCH',
    layout({ manifest: (document) => ({ ...document, layers: [{ ...(document['layers'] as object[])[0], size: 7 }] }) }),
  ],
  'a layer that is not there': [
    'LAYOUT_INVALID',
    layout({ manifest: (document) => ({ ...document, layers: [{ ...(document['layers'] as object[])[0], digest: digest('b') }] }) }),
  ],
  'two layers for one diffID': [
    'CONFIG_INVALID',
    layout({
      manifest: (document) => ({ ...document, layers: [...(document['layers'] as object[]), ...(document['layers'] as object[])] }),
    }),
  ],
  'an index of itself, five deep': ['MANIFEST_INVALID', nested(6)],
};

/** Indexes that list indexes; each is there and right. */
function nested(depth: number): Entry[] {
  const members = layout();
  const index = JSON.parse(String(members.at(-1)?.data)) as { manifests: Blob[] };
  let [inner] = index.manifests;
  const more: Entry[] = [];
  for (let at = 0; at < depth; at += 1) {
    const data = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [{ ...inner, platform }] });
    more.push({ name: `blobs/sha256/${hexOf(sha(data))}`, data });
    inner = { mediaType: mediaTypes.ociIndex, digest: sha(data), size: data.length };
  }
  return [...members.slice(0, -1), ...more, { name: 'index.json', data: JSON.stringify({ schemaVersion: 2, manifests: [inner] }) }];
}

for (const [what, [code, content]] of Object.entries(hostile)) {
  test(`refused: ${what}`, () => withStore((paths, folder) => refused(paths, folder, content, code)));
}

test('a folder whose blob is a link to a file of the host is refused', () =>
  withStore(async (paths, folder) => {
    const dir = join(folder, 'layout');
    mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
    for (const { name, data = '' } of layout()) writeFileSync(join(dir, name), data);
    const secret = join(folder, 'secret');
    const blob = join(dir, 'blobs/sha256', hexOf(sha(layer)));
    writeFileSync(secret, layer);
    rmSync(blob);
    symlinkSync(secret, blob);
    const error: unknown = await loadImages(paths, dir, {}).catch((cause: unknown) => cause);
    assert.is(error instanceof RootlessError && error.code, 'LAYOUT_INVALID');
  }));

for (const format of ['docker-archive', 'oci-archive', 'oci-dir', 'docker-dir'] satisfies SaveFormat[]) {
  test(`what was saved as ${format} is loaded again, with equal ids`, () =>
    withStore(async (paths, folder) => {
      await load(paths, folder, layout());
      await addNames(paths, 'bb', ['localhost:5000/team/two:2']);
      const [image] = listImages(paths);
      const wanted = format === 'docker-dir' ? ['bb:latest'] : ['bb:latest', 'localhost:5000/team/two:2'];
      await saveImages(paths, wanted, join(folder, 'out'), { format });
      await withStore(async (other) => {
        const loaded = await loadImages(other, join(folder, 'out'), {});
        assert.equal(
          loaded.map(({ name, id }) => [name, id]),
          (format === 'docker-dir' ? [undefined] : wanted).map((name) => [name, image?.id]),
        );
      });
    }));
}

test('a layout keeps what it has when an image is added, and a name moves', () =>
  withStore(async (paths, folder) => {
    await load(paths, folder, layout());
    const out = join(folder, 'out');
    await saveImages(paths, ['bb'], out, { format: 'oci-dir' });
    await addNames(paths, 'bb', ['two:2']);
    await saveImages(paths, ['two:2'], out, { format: 'oci-dir' });
    await saveImages(paths, ['two:2'], out, { format: 'oci-dir' });
    const { manifests } = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as {
      manifests: { annotations: Record<string, string> }[];
    };
    assert.equal(
      manifests.map(({ annotations }) => annotations['org.opencontainers.image.ref.name']),
      ['docker.io/library/bb:latest', 'docker.io/library/two:2'],
    );
  }));

test('an archive of two images that share layers has each blob once', () =>
  withStore(async (paths, folder) => {
    await load(paths, folder, layout());
    await load(paths, folder, oldSaved());
    const out = join(folder, 'out.tar');
    await saveImages(paths, ['bb:latest', 'bb:1'], out, { format: 'docker-archive' });
    const files = archiveFiles(out, readTarIndex(out, 'out'), 'out');
    assert.equal(
      (await imagesIn(files)).flatMap((image) => image.names),
      ['docker.io/library/bb:latest', 'docker.io/library/bb:1'],
    );
    assert.is(countOf(readFileSync(out), hexOf(sha(layer)).slice(0, 60), 'blobs/sha256/'), 1);
  }));

/** How often the archive has a member of this name. */
function countOf(tar: Buffer, hex: string, prefix: string): number {
  let count = 0;
  for (let at = tar.indexOf(prefix + hex); at >= 0; at = tar.indexOf(prefix + hex, at + 1)) if (at % 512 === 0) count += 1;
  return count;
}

test('a tar is written as others read it, sizes of terabytes too', () =>
  withStore(async (_paths, folder) => {
    const file = join(folder, 'out.tar');
    const tar = await tarWriter(file);
    await tar.folder('a');
    await tar.file('a/b', 3, Buffer.from('abc'));
    await tar.file(
      'c',
      600,
      (async function* () {
        yield Buffer.alloc(300, '1');
        yield Buffer.alloc(300, '2');
      })(),
    );
    await tar.end();
    await tar.close(true);
    const index = readTarIndex(file, file);
    assert.ok(index.complete);
    assert.equal([index.find('a/b')?.size, index.find('c')?.size], [3, 600]);
    const error: unknown = await (await tarWriter(join(folder, 'x'))).file('short', 5, Buffer.from('abc')).catch((cause: unknown) => cause);
    assert.is((error as RootlessError).code, 'SIZE_MISMATCH');
  }));

test('a file that could not be finished leaves the old one, and nothing half-written', () =>
  withStore(async (_paths, folder) => {
    const file = join(folder, 'out.tar');
    writeFileSync(file, 'old');
    const sink = await tarSink(file);
    const error: unknown = await sink.add('x', 10, Buffer.from('short'), true).catch((cause: unknown) => cause);
    assert.is((error as RootlessError).code, 'SIZE_MISMATCH');
    await sink.discard();
    assert.is(readFileSync(file, 'utf8'), 'old');
    const dir = folderSink(join(folder, 'dir'));
    await dir.add('blobs/x', 1, Buffer.from('1'), true);
    await dir.discard();
    assert.equal(readdirSync(join(folder, 'dir/blobs')), []);
    assert.equal(readdirSync(folder).sort(), ['data', 'dir', 'out.tar']);
  }));

test('an empty input is called empty', () =>
  withStore(async (paths, folder) => {
    const file = join(folder, 'empty.tar');
    writeFileSync(file, '');
    const error: unknown = await loadImages(paths, file, {}).catch((cause: unknown) => cause);
    assert.ok(error instanceof RootlessError);
    assert.match(error.message, /empty\.tar" is empty$/);
    assert.is(error.code, 'LAYOUT_INVALID');
  }));

test('an image is inspected with the container of its last step, empty where nobody wrote it down', () =>
  withStore(async (paths, folder) => {
    const row = (id: string) => inspectImage(paths, id)?.['ContainerConfig'] as Record<string, unknown> | undefined;
    await load(paths, folder, oldSaved());
    assert.equal([row('bb:1')?.['Cmd'], row('bb:1')?.['User']], [null, '']);
    await load(paths, folder, oldSaved({ config: configOf([sha(layer), sha(layer)], { container_config: { User: 'ana' } }) }));
    assert.equal([row('bb:1')?.['Cmd'], row('bb:1')?.['User']], [null, 'ana']);
  }));

test.run();
