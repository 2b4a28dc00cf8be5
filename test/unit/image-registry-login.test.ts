/** Credentials kept and taken away: which file, what stays in it, who may read it, and helpers. */

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mergeScopes } from '../../src/image/auth.ts';
import { type Credentials, eraseAll, eraseCredentials, findCredentials, storeCredentials } from '../../src/image/credentials.ts';
import { parsePlace } from '../../src/image/login.ts';

const ana: Credentials = { kind: 'basic', username: 'ana', password: 's3:cret' };
const encode = (text: string) => Buffer.from(text).toString('base64');
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as { auths?: Record<string, object> } & Record<string, unknown>;

type Files = { readonly folder: string; readonly podman: string; readonly docker: string; readonly files: readonly string[] };

async function withFiles(body: (files: Files) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'login-'));
  const [podman, docker] = [join(folder, 'run/containers/auth.json'), join(folder, '.docker/config.json')];
  try {
    await body({ folder, podman, docker, files: [podman, docker] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(path: string, content: object | string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o644 });
}

test('a first login makes a private file in a private folder', () =>
  withFiles(async ({ podman, docker, files }) => {
    const { file, helper } = await storeCredentials(files, parsePlace('quay.io'), ana);
    assert.equal([file, helper], [podman, undefined]);
    assert.is(statSync(podman).mode & 0o777, 0o600);
    assert.is(statSync(join(podman, '..')).mode & 0o777, 0o700);
    assert.equal(json(podman), { auths: { 'quay.io': { auth: encode('ana:s3:cret') } } });
    assert.not.ok(existsSync(docker));
    assert.equal(await findCredentials(files, { registry: 'quay.io', repository: 'x' }), ana);
  }));

test('what docker has in its file stays, and the file becomes private', () =>
  withFiles(async ({ docker, files }) => {
    write(docker, {
      psFormat: 'x',
      auths: { 'a.com': { auth: encode('b:c') } },
      credHelpers: { 'gcr.io': 'none' },
      HttpHeaders: { X: '1' },
    });
    const { file } = await storeCredentials(files, parsePlace('docker.io'), ana);
    assert.is(file, docker);
    const { auths, ...rest } = json(docker);
    assert.equal(rest, { psFormat: 'x', credHelpers: { 'gcr.io': 'none' }, HttpHeaders: { X: '1' } });
    assert.equal(Object.keys(auths ?? {}), ['a.com', 'https://index.docker.io/v1/']);
    assert.is(statSync(docker).mode & 0o777, 0o600);
    assert.equal(await findCredentials(files, { registry: 'docker.io', repository: 'library/x' }), ana);
  }));

test('a login goes where the old one is, under any of its spellings', () =>
  withFiles(async ({ podman, docker, files }) => {
    write(docker, { auths: {} });
    write(podman, { auths: { 'https://r.com/v2/': { auth: encode('old:x') } } });
    assert.is((await storeCredentials(files, parsePlace('r.com'), ana)).file, podman);
    assert.equal(await findCredentials(files, { registry: 'r.com', repository: 'x' }), ana);
    assert.equal(await eraseCredentials(files, parsePlace('r.com')), [podman]);
    assert.equal(json(podman), { auths: {} });
    assert.equal(await eraseCredentials(files, parsePlace('r.com')), []);
  }));

test('a namespace has a login of its own', () =>
  withFiles(async ({ files }) => {
    await storeCredentials(files, parsePlace('quay.io'), { ...ana, username: 'all' });
    await storeCredentials(files, parsePlace('quay.io/team'), ana);
    assert.equal(await findCredentials(files, { registry: 'quay.io', repository: 'team/app' }), ana);
    await eraseCredentials(files, parsePlace('quay.io/team'));
    const left = await findCredentials(files, { registry: 'quay.io', repository: 'team/app' });
    assert.is(left?.kind === 'basic' && left.username, 'all');
  }));

test('an identity token is kept with the name of its user, and the password is not', () =>
  withFiles(async ({ podman, files }) => {
    await storeCredentials(files, parsePlace('r.com'), { kind: 'identity', token: 't0ken', username: 'ana' });
    assert.equal(json(podman).auths, { 'r.com': { auth: encode('ana:'), identitytoken: 't0ken' } });
    assert.equal(await findCredentials(files, { registry: 'r.com', repository: '' }), {
      kind: 'identity',
      token: 't0ken',
      username: 'ana',
    });
  }));

test('a link stays a link, and a damaged file stays as it is', () =>
  withFiles(async ({ folder, docker, podman, files }) => {
    write(join(folder, 'dotfiles/config.json'), { auths: {} });
    mkdirSync(join(docker, '..'), { recursive: true });
    symlinkSync('../dotfiles/config.json', docker);
    await storeCredentials(files, parsePlace('r.com'), ana);
    assert.ok('r.com' in (json(join(folder, 'dotfiles/config.json')).auths ?? {}));
    write(podman, '{"auths": s3cret');
    const error = await storeCredentials([podman], parsePlace('r.com'), ana).catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, 'AUTH_FILE_INVALID');
    assert.not.match(inspect(error, { depth: 9 }), /s3/);
    assert.is(readFileSync(podman, 'utf8'), '{"auths": s3cret');
  }));

test('logins at the same time lose none', () =>
  withFiles(async ({ podman, files }) => {
    const names = Array.from({ length: 12 }, (_, index) => `r${index}.com`);
    await Promise.all(names.map((name) => storeCredentials(files, parsePlace(name), ana)));
    assert.equal(Object.keys(json(podman).auths ?? {}).sort(), names.sort());
  }));

test('a folder that cannot be written is AUTH_FILE_UNWRITABLE', () =>
  withFiles(async ({ folder }) => {
    write(join(folder, 'file'), 'x');
    const error = await storeCredentials([join(folder, 'file/auth.json')], parsePlace('r.com'), ana).catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, 'AUTH_FILE_UNWRITABLE');
    assert.not.match(inspect(error, { depth: 9 }), /s3:cret/);
  }));

/** A helper that keeps what it is given in a folder, one file a server. */
const toy = `#!/bin/sh
cd "$(dirname "$0")"
case "$1" in
store) cat > stored.json; sed -n 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/p' stored.json > server;;
get) read server; test "$server" = "$(cat server 2>/dev/null)" || { echo "credentials not found"; exit 1; }; cat stored.json;;
erase) read server; test "$server" = "$(cat server 2>/dev/null)" || { echo "credentials not found"; exit 1; }; rm -f stored.json server;;
list) if test -f server; then echo "{\\"$(cat server)\\":\\"ana\\"}"; else echo '{}'; fi;;
esac
`;

async function withHelper(body: (files: Files) => Promise<void>): Promise<void> {
  await withFiles(async (files) => {
    writeFileSync(join(files.folder, 'docker-credential-toy'), toy);
    chmodSync(join(files.folder, 'docker-credential-toy'), 0o755);
    const path = process.env['PATH'];
    process.env['PATH'] = `${files.folder}:${path}`;
    try {
      await body(files);
    } finally {
      process.env['PATH'] = path;
    }
  });
}

test('a helper keeps the secret, and the file only a mark', () =>
  withHelper(async ({ docker, files }) => {
    write(docker, { credsStore: 'toy' });
    const kept = await storeCredentials(files, parsePlace('docker.io'), ana);
    assert.equal([kept.file, kept.helper], [docker, 'toy']);
    assert.equal(json(docker), { credsStore: 'toy', auths: { 'https://index.docker.io/v1/': {} } });
    assert.equal(await findCredentials(files, { registry: 'docker.io', repository: 'library/x' }), ana);
    assert.equal(await eraseCredentials(files, parsePlace('docker.io')), [docker]);
    assert.is(await findCredentials(files, { registry: 'docker.io', repository: 'library/x' }), undefined);
    assert.equal(json(docker).auths, {});
  }));

test('a helper for one registry is used for that one; all logins are forgotten in one go', () =>
  withHelper(async ({ docker, files }) => {
    write(docker, { credHelpers: { 'r.com': 'toy' } });
    assert.is((await storeCredentials(files, parsePlace('r.com'), { kind: 'identity', token: 't', username: 'ana' })).helper, 'toy');
    assert.is((await storeCredentials(files, parsePlace('other.com'), ana)).helper, undefined);
    const held = await findCredentials(files, { registry: 'r.com', repository: 'x' });
    assert.is(held?.kind === 'identity' && held.token, 't');
    await eraseAll(files);
    assert.is(await findCredentials(files, { registry: 'r.com', repository: 'x' }), undefined);
    assert.equal(json(docker), { credHelpers: { 'r.com': 'toy' }, auths: {} });
  }));

test('a helper that is missing is an error when something is to be kept, without the secret', () =>
  withFiles(async ({ docker, files }) => {
    write(docker, { credsStore: 'not-here' });
    const error = await storeCredentials(files, parsePlace('r.com'), ana).catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, 'AUTH_HELPER_FAILED');
    assert.not.match(inspect(error, { depth: 9 }), /s3:cret/);
    assert.equal(json(docker), { credsStore: 'not-here' });
  }));

for (const [text, registry, repository] of [
  ['quay.io', 'quay.io', ''],
  ['https://quay.io/', 'quay.io', ''],
  ['https://index.docker.io/v1/', 'docker.io', ''],
  ['docker.io', 'docker.io', ''],
  ['quay.io/team/app', 'quay.io', 'team/app'],
  ['localhost:5000', 'localhost:5000', ''],
  ['registry', 'registry', ''],
  ['[::1]:5000', '[::1]:5000', ''],
] as const) {
  test(`a login to ${text} is one to ${registry}/${repository}`, () => assert.equal(parsePlace(text), { registry, repository }));
}

for (const text of ['', 'a b', 'quay.io/Team', 'http://', '-x.com', 'quay.io/a:1']) {
  test(`"${text}" is no place to log in to`, () => {
    assert.throws(
      () => parsePlace(text),
      (error: { code?: string }) => error.code === 'REFERENCE_INVALID',
    );
  });
}

test('scopes of one repository are one', () => {
  assert.equal(mergeScopes(['repository:a/b:pull', 'repository:c:pull', 'repository:a/b:pull,push', 'registry:catalog:*']), [
    'repository:a/b:pull,push',
    'repository:c:pull',
    'registry:catalog:*',
  ]);
});

test.run();
