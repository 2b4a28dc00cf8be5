/** Secrets: kept where nobody else reads, found by name and id, given to containers as files and variables; and time zones. */

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findPaths, type Paths } from '../../src/paths.ts';
import { willEndAtLogout } from '../../src/runtime/linger.ts';
import type { Mapping } from '../../src/runtime/options.ts';
import { secretFiles, secretVariables } from '../../src/runtime/secret-files.ts';
import { createSecret, findSecret, listSecrets, removeSecret, secretLimit } from '../../src/runtime/secrets.ts';
import { timezoneFile } from '../../src/runtime/timezone.ts';
import { withTmp } from '../support/tmp.ts';
import { hasCode } from '../support/errors.ts';

const inFolder = (data: string): Paths => findPaths({ HOME: data, ROOTLESS_DATA: data, XDG_RUNTIME_DIR: data });
const extents = (own: number | undefined) => [{ containerID: 0, hostID: own ?? 0, size: 1 }];
const mapping: Mapping = { mode: 'single', idMap: { uid: extents(process.getuid?.()), gid: extents(process.getgid?.()) } };
const request = (more: object = {}) => ({ name: 'key', as: 'mount' as const, target: 'key', uid: 0, gid: 0, mode: 0o440, ...more });

test('a secret is found by its name, its id and a beginning of that, until it is removed', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const made = createSecret(paths, 'key', Buffer.from('s3cret'), { a: 'b' }, false);
    assert.match(made.id, /^[0-9a-f]{25}$/);
    for (const wanted of ['key', made.id, made.id.slice(0, 6)]) assert.is(findSecret(paths, wanted).name, 'key');
    assert.is(Buffer.from(findSecret(paths, 'key').data, 'base64').toString(), 's3cret');
    for (const wanted of ['', 'nope', '../key', 'a/b']) assert.throws(() => findSecret(paths, wanted), hasCode('SECRET_NOT_FOUND'), wanted);
    removeSecret(paths, made);
    assert.equal(listSecrets(paths), []);
  }));

test('a secret whose file is damaged is none', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const { id, created, updated } = createSecret(paths, 'key', Buffer.from('x'), {}, false);
    for (const text of ['', '7', 'null', '{}', JSON.stringify({ id, name: 'key', created, updated, labels: {}, data: 7 })]) {
      writeFileSync(join(paths.data, 'secrets/key'), text);
      assert.throws(() => findSecret(paths, 'key'), hasCode('SECRET_NOT_FOUND'), text);
      assert.equal(listSecrets(paths), []);
    }
    createSecret(paths, 'key', Buffer.from('y'), {}, false);
    assert.is(findSecret(paths, 'key').data, Buffer.from('y').toString('base64'));
  }));

test('only its owner can read it', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    createSecret(paths, 'key', Buffer.from('x'), {}, false);
    assert.is(statSync(join(paths.data, 'secrets')).mode & 0o777, 0o700);
    assert.is(statSync(join(paths.data, 'secrets/key')).mode & 0o777, 0o600);
  }));

test('a name is kept for one secret, unless it is to be replaced', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    createSecret(paths, 'key', Buffer.from('old'), {}, false);
    assert.throws(() => createSecret(paths, 'key', Buffer.from('new'), {}, false), hasCode('SECRET_IN_USE'));
    createSecret(paths, 'key', Buffer.from('new'), {}, true);
    assert.equal(secretVariables(paths, [request({ as: 'env', target: 'KEY' })]), ['KEY=new']);
  }));

test('bad names and sizes are refused', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    for (const name of ['', '-a', 'a-', '../x', 'a b', 'x'.repeat(65), 'a.tmp'])
      assert.throws(() => createSecret(paths, name, Buffer.from('x'), {}, false), hasCode('SECRET_NAME_INVALID'), name);
    for (const size of [0, secretLimit])
      assert.throws(() => createSecret(paths, 'key', Buffer.alloc(size), {}, false), hasCode('SECRET_SIZE_INVALID'));
  }));

test('a container gets it below /run/secrets, or where it was told, with its mode', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    createSecret(paths, 'key', Buffer.from('s3cret'), {}, false);
    const wishes = [request(), request({ target: '/etc/key', mode: 0o400 })];
    const mounts = await secretFiles(paths, folder, wishes, mapping);
    assert.equal(
      mounts.map(({ target, readOnly }) => `${target} ${readOnly}`),
      ['/run/secrets/key true', '/etc/key true'],
    );
    assert.equal(
      mounts.map(({ source }) => statSync(source).mode & 0o777),
      [0o440, 0o400],
    );
    assert.is(readFileSync(mounts[0]?.source ?? '', 'utf8'), 's3cret');
    assert.equal(await secretFiles(paths, folder, [], mapping), []);
  }));

test('a secret that nobody keeps is an error before anything is started', () =>
  withTmp(async (folder) => {
    const failure = await secretFiles(inFolder(folder), folder, [request()], mapping).catch((error: unknown) => error);
    assert.ok(hasCode('SECRET_NOT_FOUND')(failure));
  }));

test('a time zone is a file of the database, and nothing above it', () =>
  withTmp((folder) => {
    assert.equal(timezoneFile(folder, undefined), []);
    for (const zone of ['Nowhere/Land', '../../../etc/passwd', '', '.'])
      assert.throws(() => timezoneFile(folder, zone), hasCode('TIMEZONE_UNKNOWN'), zone);
  }));

test('a user without lingering loses everything at the last logout, if systemd counts sessions', () =>
  withTmp((folder) => {
    const session = '0::/user.slice/user-1000.slice/session-2.scope\n';
    assert.is(willEndAtLogout(session, folder, 'ana'), 'ana');
    assert.is(willEndAtLogout('0::/\n', folder, 'ana'), undefined);
    assert.is(willEndAtLogout(session, folder, 'root'), undefined);
    assert.is(willEndAtLogout(session, join(folder, '..'), folder.split('/').at(-1)), undefined);
  }));

test.run();
