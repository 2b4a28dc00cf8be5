/** Locks and links between processes: one holder, none that is dead, nothing left behind. */

import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { findPaths, type Paths } from '../../src/paths.ts';
import { ourselves } from '../../src/runtime/alive.ts';
import { claimLink, holderOf, takeAway } from '../../src/runtime/links.ts';
import { lockContainer, withLock } from '../../src/runtime/lock.ts';
import { makeFolder } from '../../src/runtime/state.ts';
import { withTmp } from '../support/tmp.ts';

const inFolder = (data: string): Paths => findPaths({ HOME: data, ROOTLESS_DATA: data, XDG_RUNTIME_DIR: data });
const id = 'a'.repeat(64);
const never = () => false;
const always = () => true;

test('work under a lock is done one after the other, and leaves no lock', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    const place = makeFolder(paths, id);
    const order: string[] = [];
    const work = (name: string) => async () => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    };
    await Promise.all(['a', 'b', 'c'].map((name) => withLock(paths, id, work(name))));
    assert.is(order.length, 6);
    for (let at = 0; at < 6; at += 2) assert.is(order[at]?.replace('begins', 'ends'), order[at + 1]);
    assert.equal(readdirSync(place), []);
  }));

test('a lock goes also when the work fails', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    const place = makeFolder(paths, id);
    const failed = await withLock(paths, id, () => Promise.reject(new Error('broken'))).catch((error: Error) => error.message);
    assert.is(failed, 'broken');
    assert.equal(readdirSync(place), []);
  }));

test("the lock of a process that is dead, or of another boot, is nobody's", () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    const place = makeFolder(paths, id);
    const { pid, startTime, bootId } = ourselves();
    for (const holder of [`${pid} 1 ${bootId} 1`, `${pid} ${startTime} another 1`, 'nonsense', '0 0 0']) {
      symlinkSync(holder, join(place, 'lock'));
      assert.is(await withLock(paths, id, () => 7), 7, holder);
    }
    assert.equal(readdirSync(place), []);
  }));

test('a living holder is waited for, and named when that takes too long', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    makeFolder(paths, id);
    const release = await lockContainer(paths, id);
    const error = await lockContainer(paths, id, undefined, 0).catch((caught: unknown) => caught);
    assert.instance(error, RootlessError);
    assert.is((error as RootlessError).code, 'CONTAINER_BUSY');
    assert.match((error as RootlessError).why ?? '', `process ${process.pid}`);
    release();
    (await lockContainer(paths, id, undefined, 0))();
  }));

test('where there is no folder there is nothing to lock', () =>
  withTmp(async (folder) => {
    assert.is(await withLock(inFolder(folder), id, () => 'done'), 'done');
  }));

test('giving back a lock twice does not take away the next one', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    const place = makeFolder(paths, id);
    const first = await lockContainer(paths, id);
    first();
    const second = await lockContainer(paths, id);
    first();
    assert.equal(readdirSync(place), ['lock']);
    second();
  }));

test('a link is claimed by one, kept by its holder, and taken over from one that is gone', () =>
  withTmp((folder) => {
    const path = join(folder, 'new', 'web');
    assert.ok(claimLink(path, 'one', never));
    assert.ok(claimLink(path, 'one', never));
    assert.not.ok(claimLink(path, 'two', never));
    assert.ok(claimLink(path, 'two', always));
    assert.is(readlinkSync(path), 'two');
    assert.equal(readdirSync(join(folder, 'new')), ['web']);
  }));

test('a file where a link should be is left alone', () =>
  withTmp((folder) => {
    const path = join(folder, 'web');
    writeFileSync(path, '');
    assert.not.ok(claimLink(path, 'one', always));
    rmSync(path);
    mkdirSync(path);
    assert.not.ok(claimLink(path, 'one', always));
  }));

test('what another one claimed meanwhile is put back', () =>
  withTmp((folder) => {
    const path = join(folder, 'web');
    symlinkSync('two', path);
    takeAway(path, 'one');
    assert.is(holderOf(path), 'two');
    takeAway(path, 'two');
    assert.is(holderOf(path), undefined);
    takeAway(path, 'two');
    assert.equal(readdirSync(folder), []);
  }));

test.run();
