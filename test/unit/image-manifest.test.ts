/** The one parser of manifests, indexes and configurations: good documents, and every refusal by its code. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../src/image/config.ts';
import { images, parseManifest } from '../../src/image/manifest.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 10 };
const manifest = { schemaVersion: 2, config, layers: [layer] };
const index = {
  schemaVersion: 2,
  manifests: [
    {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest,
      size: 3,
      platform: { os: 'linux', architecture: 'arm', variant: 'v6' },
    },
  ],
};
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const code = (wanted: string) => (error: { code?: string }) => error.code === wanted;

test('an OCI manifest is read', () => {
  const parsed = parseManifest(bytes(manifest), 'x');
  assert.is(parsed.kind, 'manifest');
  assert.is(parsed.kind === 'manifest' && parsed.layers[0]?.size, 10);
});

test('a manifest of docker schema 2 is read', () => {
  const docker = {
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' },
    layers: [{ ...layer, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }],
  };
  assert.is(parseManifest(bytes(docker), 'x').kind, 'manifest');
});

test('an index is read with its platforms', () => {
  const parsed = parseManifest(bytes(index), 'x');
  assert.equal(parsed.kind === 'index' && parsed.manifests[0]?.platform, { os: 'linux', architecture: 'arm', variant: 'v6' });
});

test('attestations are not images', () => {
  const attested = {
    ...index,
    manifests: [...index.manifests, { ...index.manifests[0], annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } }],
  };
  const parsed = parseManifest(bytes(attested), 'x');
  assert.is(parsed.kind === 'index' && images(parsed).length, 1);
});

for (const [what, value, wanted] of [
  ['text', 'hello', 'MANIFEST_INVALID'],
  ['an array', [], 'MANIFEST_INVALID'],
  ['null', 'null', 'MANIFEST_INVALID'],
  ['an empty object', {}, 'MANIFEST_INVALID'],
  ['schema 3', { ...manifest, schemaVersion: 3 }, 'MANIFEST_INVALID'],
  ['schema 1', { schemaVersion: 1, fsLayers: [] }, 'SCHEMA1_UNSUPPORTED'],
  ['both kinds at once', { ...manifest, ...index }, 'MANIFEST_INVALID'],
  ['an index that calls itself a manifest', { ...index, mediaType: 'application/vnd.oci.image.manifest.v1+json' }, 'MANIFEST_INVALID'],
  ['a manifest that calls itself an index', { ...manifest, mediaType: 'application/vnd.oci.image.index.v1+json' }, 'MANIFEST_INVALID'],
  ['a digest that leads out of the store', { ...manifest, layers: [{ ...layer, digest: 'sha256:../../etc' }] }, 'MANIFEST_INVALID'],
  ['a short digest', { ...manifest, config: { ...config, digest: 'sha256:abc' } }, 'MANIFEST_INVALID'],
  ['a negative size', { ...manifest, layers: [{ ...layer, size: -1 }] }, 'MANIFEST_INVALID'],
  ['a size beyond integers', { ...manifest, layers: [{ ...layer, size: 1e300 }] }, 'MANIFEST_INVALID'],
  ['a layer without size', { ...manifest, layers: [{ mediaType: layer.mediaType, digest }] }, 'MANIFEST_INVALID'],
  ['layers that are an object', { ...manifest, layers: {} }, 'MANIFEST_INVALID'],
  ['no configuration', { schemaVersion: 2, layers: [] }, 'MANIFEST_INVALID'],
  ['a Helm chart', { ...manifest, config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } }, 'IMAGE_UNSUPPORTED'],
  ['an encrypted layer', { ...manifest, layers: [{ ...layer, mediaType: `${layer.mediaType}+encrypted` }] }, 'IMAGE_UNSUPPORTED'],
  ['5 MiB', ' '.repeat(5 << 20), 'MANIFEST_TOO_LARGE'],
] as const) {
  test(`a manifest that is ${what} is ${wanted}`, () => {
    assert.throws(() => parseManifest(bytes(value), 'x'), code(wanted));
  });
}

test('what is wrong is named by its path', () => {
  assert.throws(
    () => parseManifest(bytes({ ...manifest, layers: [layer, { ...layer, size: 'x' }] }), 'x'),
    (error: { why?: string }) => error.why === '"/layers/1/size" is not a whole number',
  );
});

const image = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digest] } };

test('a configuration is read with every field', () => {
  const parsed = parseConfig(
    bytes({
      ...image,
      created: '2024-01-01T00:00:00Z',
      config: {
        User: 'ana',
        ExposedPorts: { '80/tcp': {} },
        Env: ['A=b'],
        Entrypoint: ['/e'],
        Cmd: ['c'],
        Volumes: { '/v': {} },
        WorkingDir: '/w',
        Labels: { l: '1', __proto__x: '2' },
        StopSignal: 'SIGINT',
        Healthcheck: { Test: ['CMD', 'true'], Interval: 5 },
      },
    }),
    'x',
  );
  assert.equal(
    [parsed.user, parsed.exposedPorts, parsed.env, parsed.entrypoint, parsed.cmd, parsed.volumes, parsed.workingDir, parsed.stopSignal],
    ['ana', ['80/tcp'], ['A=b'], ['/e'], ['c'], ['/v'], '/w', 'SIGINT'],
  );
  assert.equal(parsed.labels, { l: '1', __proto__x: '2' });
  assert.equal(parsed.healthcheck, {
    test: ['CMD', 'true'],
    interval: 5,
    timeout: 0,
    startPeriod: 0,
    startInterval: 0,
    retries: 0,
  });
  assert.equal(parsed.diffIds, [digest]);
});

test('null fields, as Go writes them, are empty', () => {
  const parsed = parseConfig(
    bytes({ ...image, config: { Env: null, Cmd: null, Entrypoint: null, Labels: null, Volumes: null, User: null } }),
    'x',
  );
  assert.equal([parsed.env, parsed.cmd, parsed.entrypoint, parsed.labels, parsed.volumes, parsed.user], [[], [], [], {}, [], '']);
});

test('a label called __proto__ is only a label', () => {
  const parsed = parseConfig(Buffer.from(JSON.stringify(image).replace('{', '{"config":{"Labels":{"__proto__":"x"}},')), 'x');
  assert.equal(Object.keys(parsed.labels), ['__proto__']);
  assert.is(Object.getPrototypeOf(parsed.labels), Object.prototype);
});

for (const [what, value] of [
  ['without rootfs', { os: 'linux', architecture: 'amd64' }],
  ['without os', { architecture: 'amd64', rootfs: image.rootfs }],
  ['with a bad diffID', { ...image, rootfs: { type: 'layers', diff_ids: ['x'] } }],
  ['with another rootfs type', { ...image, rootfs: { type: 'foo', diff_ids: [] } }],
  ['with a number in Env', { ...image, config: { Env: [1] } }],
  ['with Cmd as an object', { ...image, config: { Cmd: {} } }],
] as const) {
  test(`a configuration ${what} is refused`, () => {
    assert.throws(() => parseConfig(bytes(value), 'x'), code('CONFIG_INVALID'));
  });
}

test.run();
