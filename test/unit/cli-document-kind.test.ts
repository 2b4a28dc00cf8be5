/** `rootless validate FILE` finds out what the file is. */

import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { guessKind, isLayer } from '../../src/cli/document-kind.ts';

for (const [text, name, kind] of [
  ['{"ociVersion":"1.2.0"}', 'x', 'config'],
  ['{"process":{}}', 'x', 'config'],
  ['{"schemaVersion":2,"manifests":[]}', 'x', 'index'],
  ['{"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json"}', 'x', 'index'],
  ['{"schemaVersion":2,"config":{},"layers":[]}', 'x', 'manifest'],
  ['{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}', 'x', 'manifest'],
  ['{"architecture":"amd64","os":"linux","rootfs":{}}', 'x', 'image-config'],
  ['{"imageLayoutVersion":"1.0.0"}', 'x', 'layout'],
  ['{"defaultAction":"SCMP_ACT_ERRNO"}', 'x', 'seccomp'],
  ['{"ociVersion":"1.2.0"}', 'index.json', 'config'],
  ['{', '/a/config.json', 'config'],
  ['{}', '/a/index.json', 'index'],
  ['[]', 'oci-layout', 'layout'],
  ['', 'my-seccomp.json', 'seccomp'],
  ['{}', 'x', undefined],
  ['null', 'x', undefined],
  ['not json', 'x', undefined],
] as const) {
  test(`${name} with ${text} is ${kind ?? 'not known'}`, () => assert.is(guessKind(text, name), kind));
}

test('gzip, zstd and tar are layers, text is not', () => {
  assert.ok(isLayer(gzipSync('x')));
  assert.ok(isLayer(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0)));
  const header = Buffer.alloc(512);
  header.write('ustar', 257);
  assert.ok(isLayer(header));
  assert.not.ok(isLayer(Buffer.from('{"ociVersion":"1.2.0"}')));
  assert.not.ok(isLayer(Buffer.alloc(0)));
});

test.run();
