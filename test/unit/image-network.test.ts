/** The pure parts of talking to registries: challenges, proxies, credentials' keys, breaks. */

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseChallenges } from '../../src/image/auth.ts';
import { findCredentials, keysFor } from '../../src/image/credentials.ts';
import { isLoopback, proxyFor } from '../../src/image/proxy.ts';
import { parseReference } from '../../src/image/reference.ts';
import { retryAfter } from '../../src/image/retry.ts';
import { findPaths } from '../../src/paths.ts';

for (const [header, challenges] of [
  ['Basic realm="x"', [{ scheme: 'basic', parameters: { realm: 'x' } }]],
  [
    'Bearer realm="https://a/t?x=1,2",service="s",scope="repository:a/b:pull,push"',
    [{ scheme: 'bearer', parameters: { realm: 'https://a/t?x=1,2', service: 's', scope: 'repository:a/b:pull,push' } }],
  ],
  ['BEARER REALM="a\\"b" , error=insufficient_scope', [{ scheme: 'bearer', parameters: { realm: 'a"b', error: 'insufficient_scope' } }]],
  [
    'Negotiate, Basic realm=r',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'r' } },
    ],
  ],
  ['', []],
  ['"', []],
  ['realm="lost"', []],
] as const) {
  test(`the challenge ${header || '(empty)'} is understood`, () => assert.equal(parseChallenges(header), challenges));
}

const proxies = (noProxy?: string) =>
  findPaths({ HOME: '/h', http_proxy: 'p:1', HTTPS_PROXY: 'http://u:p@q:2', ...(noProxy === undefined ? {} : { NO_PROXY: noProxy }) })
    .registry;

for (const [url, noProxy, host] of [
  ['http://a.example/', undefined, 'p:1'],
  ['https://a.example/', undefined, 'q:2'],
  ['https://localhost/', undefined, undefined],
  ['https://127.0.0.5:5000/', undefined, undefined],
  ['https://[::1]:5000/', undefined, undefined],
  ['https://a.example/', '*', undefined],
  ['https://a.example/', 'example', undefined],
  ['https://a.example/', '.example', undefined],
  ['https://a.example/', '*.example', undefined],
  ['https://badexample/', 'example', 'q:2'],
  ['https://a.example/', 'a.example:443', undefined],
  ['https://a.example/', 'a.example:8443', 'q:2'],
  ['https://10.1.2.3/', '10.0.0.0/8, other', undefined],
  ['https://11.1.2.3/', '10.0.0.0/8', 'q:2'],
  ['https://[fd00::1]/', 'fd00::/8', undefined],
  ['https://10.1.2.3/', '10.0.0.0/99', 'q:2'],
  ['https://10.1.2.3/', '2.3', 'q:2'],
] as const) {
  test(`${url} with NO_PROXY=${noProxy ?? ''} goes ${host === undefined ? 'directly' : `through ${host}`}`, () => {
    assert.is(proxyFor(new URL(url), proxies(noProxy))?.host, host);
  });
}

test('a proxy that is no URL is refused without being quoted', () => {
  const environment = findPaths({ HOME: '/h', HTTPS_PROXY: 'socks5://ana:s3cret@x' }).registry;
  assert.throws(
    () => proxyFor(new URL('https://a.example/'), environment),
    (error: { code?: string; message: string }) => error.code === 'PROXY_INVALID' && !error.message.includes('s3cret'),
  );
});

test('HTTP_PROXY is not believed inside a CGI program', () => {
  assert.is(findPaths({ HOME: '/h', HTTP_PROXY: 'x', REQUEST_METHOD: 'GET' }).registry.httpProxy, undefined);
});

test('loopback is what the kernel keeps inside', () => {
  assert.equal(['localhost', '127.0.0.1', '127.9.9.9', '[::1]', '128.0.0.1', 'localhost.example', '127.0.0.1.example'].map(isLoopback), [
    true,
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('credentials are looked up from the most specific name', () => {
  const keys = keysFor(parseReference('quay.io/a/b'));
  assert.equal(keys.slice(0, 3), ['quay.io/a/b', 'quay.io/a', 'quay.io']);
  assert.ok(keysFor(parseReference('alpine')).includes('index.docker.io/v1'));
});

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'auth-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const encode = (pair: string) => Buffer.from(pair).toString('base64');

test('the first file that knows the registry wins, and a password may hold colons', () =>
  withFolder(async (folder) => {
    const [a, b] = [join(folder, 'a.json'), join(folder, 'b.json')];
    writeFileSync(a, JSON.stringify({ auths: { 'quay.io': { auth: encode('one:x') } } }));
    writeFileSync(
      b,
      JSON.stringify({ auths: { 'quay.io': { auth: encode('two:y') }, 'https://index.docker.io/v1/': { auth: encode('hub:a:b') } } }),
    );
    const files = [join(folder, 'missing.json'), a, b];
    assert.equal(await findCredentials(files, parseReference('quay.io/x/y')), { kind: 'basic', username: 'one', password: 'x' });
    assert.equal(await findCredentials(files, parseReference('alpine')), { kind: 'basic', username: 'hub', password: 'a:b' });
    assert.is(await findCredentials(files, parseReference('ghcr.io/x/y')), undefined);
  }));

test('a more specific entry beats that of its registry', () =>
  withFolder(async (folder) => {
    const file = join(folder, 'a.json');
    writeFileSync(file, JSON.stringify({ auths: { 'quay.io': { auth: encode('all:x') }, 'quay.io/team': { auth: encode('team:x') } } }));
    const found = await findCredentials([file], parseReference('quay.io/team/app'));
    assert.is(found?.kind === 'basic' && found.username, 'team');
  }));

test('a credential helper is asked by its protocol', () =>
  withFolder(async (folder) => {
    const file = join(folder, 'config.json');
    const helper = join(folder, 'docker-credential-toy');
    writeFileSync(
      helper,
      '#!/bin/sh\nread server\ntest "$1 $server" = "get quay.io" || exit 1\necho \'{"ServerURL":"quay.io","Username":"ana","Secret":"s"}\'\n',
    );
    chmodSync(helper, 0o755);
    writeFileSync(file, JSON.stringify({ auths: { 'quay.io': {} }, credsStore: 'toy' }));
    const path = process.env['PATH'];
    process.env['PATH'] = `${folder}:${path}`;
    try {
      assert.equal(await findCredentials([file], parseReference('quay.io/x')), { kind: 'basic', username: 'ana', password: 's' });
      assert.is(await findCredentials([file], parseReference('ghcr.io/x')), undefined);
    } finally {
      process.env['PATH'] = path;
    }
  }));

test('a credential helper that is not installed means anonymous', () =>
  withFolder(async (folder) => {
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify({ credsStore: 'desktop-that-is-not-here' }));
    assert.is(await findCredentials([file], parseReference('alpine')), undefined);
  }));

test('a credential helper cannot be named out of its place', () =>
  withFolder(async (folder) => {
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify({ credsStore: '../../bin/sh' }));
    const error: unknown = await findCredentials([file], parseReference('alpine')).catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, 'AUTH_FILE_INVALID');
  }));

test('Retry-After is seconds or a date', () => {
  assert.is(retryAfter('7'), 7000);
  assert.is(retryAfter('Wed, 21 Oct 2015 07:28:00 GMT'), 0);
  const soon = retryAfter(new Date(Date.now() + 20_000).toUTCString()) ?? 0;
  assert.ok(soon > 18_000 && soon <= 20_000, `${soon}`);
  assert.is(retryAfter('soon'), undefined);
  assert.is(retryAfter(undefined), undefined);
});

test.run();
