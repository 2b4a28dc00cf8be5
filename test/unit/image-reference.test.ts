/** Names of images, as docker parses them, and the local sources beside them. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { familiarName, parseImageSource, parseReference } from '../../src/image/reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

for (const [text, name] of [
  ['alpine', 'docker.io/library/alpine:latest'],
  ['alpine:3.20', 'docker.io/library/alpine:3.20'],
  ['user/app', 'docker.io/user/app:latest'],
  ['docker.io/alpine', 'docker.io/library/alpine:latest'],
  ['index.docker.io/user/app:1', 'docker.io/user/app:1'],
  ['quay.io/a/b/c:v1', 'quay.io/a/b/c:v1'],
  ['localhost/x', 'localhost/x:latest'],
  ['localhost:5000/x', 'localhost:5000/x:latest'],
  ['localhost:5000/x:tag', 'localhost:5000/x:tag'],
  ['[::1]:5000/x', '[::1]:5000/x:latest'],
  ['127.0.0.1:5000/team/x', '127.0.0.1:5000/team/x:latest'],
  ['MyHost/x', 'MyHost/x:latest'],
  ['registry.example/a__b/c-d.e:T_1-x.Y', 'registry.example/a__b/c-d.e:T_1-x.Y'],
  [`alpine@${digest}`, `docker.io/library/alpine@${digest}`],
  [`alpine:3@${digest}`, `docker.io/library/alpine:3@${digest}`],
  ['docker://alpine', 'docker.io/library/alpine:latest'],
  ['host:1', 'docker.io/library/host:1'],
] as const) {
  test(`"${text}" means ${name}`, () => {
    const source = parseImageSource(text);
    assert.is(source.kind, 'registry');
    assert.is(source.kind === 'registry' && source.name, name);
  });
}

for (const text of [
  '',
  'UPPER',
  'a/UPPER',
  'name:',
  'name@',
  'name@sha256:abc',
  `name@sha256:${'A'.repeat(64)}`,
  `name@md5:${'a'.repeat(32)}`,
  '-a',
  'a-',
  'a..b',
  'a___b',
  'a//b',
  '/a',
  'a/',
  'a b',
  'a:b c',
  `a:${'t'.repeat(129)}`,
  'a:-x',
  'a:.x',
  'localhost:99999/x',
  'localhost:/x',
  'exa_mple.com/x',
  'http://localhost:5000/x',
  'a:1:2',
  'oci:',
  'oci:dir:',
  'oci-archive:',
  'docker-archive::x',
  'rootfs:',
  'embedded:',
  'embedded:../x',
  'docker://',
  `${'a'.repeat(250)}/x`,
  'ünï',
  'a\n',
]) {
  test(`"${text.slice(0, 40)}" is refused`, () => {
    assert.throws(
      () => parseImageSource(text),
      (error: { code?: string }) => error.code === 'REFERENCE_INVALID',
    );
  });
}

for (const [text, source] of [
  ['oci:/a/b', { kind: 'oci', dir: '/a/b', tag: undefined }],
  ['oci:rel:v1', { kind: 'oci', dir: 'rel', tag: 'v1' }],
  ['oci:dir:localhost:5000/x:1', { kind: 'oci', dir: 'dir', tag: 'localhost:5000/x:1' }],
  ['oci-archive:a.tar', { kind: 'oci-archive', file: 'a.tar', tag: undefined }],
  ['docker-archive:/x/a.tar:bb:latest', { kind: 'docker-archive', file: '/x/a.tar', tag: 'bb:latest' }],
  ['rootfs:/a:b', { kind: 'rootfs', dir: '/a:b' }],
  ['host:', { kind: 'host' }],
  ['embedded:hello', { kind: 'embedded', name: 'hello' }],
] as const) {
  test(`"${text}" is a local source`, () => assert.equal(parseImageSource(text), source));
}

test('a digest without a tag leaves the tag open', () => {
  assert.is(parseReference(`x@${digest}`).tag, undefined);
  assert.is(parseReference(`x:1@${digest}`).tag, '1');
});

test('names are shown as short as they can be typed', () => {
  const shown = ['alpine', 'user/app', 'localhost:5000/x', 'quay.io/library/x'].map((text) => familiarName(parseReference(text)));
  assert.equal(shown, ['alpine', 'user/app', 'localhost:5000/x', 'quay.io/library/x']);
});

test('only a bare name may be an image id', () => {
  assert.is(parseReference('3f5a9c').typed, '3f5a9c');
  assert.is(parseReference(`sha256:${'ab'.repeat(32)}`).typed, `sha256:${'ab'.repeat(32)}`);
  assert.is(parseReference('sha256:latest').typed, undefined);
  assert.is(parseReference('3f5a9c:latest').typed, undefined);
  assert.is(parseReference('localhost/3f5a9c').typed, undefined);
});

test.run();
