/** Containers on disk: names, marks of their makers, and what is read back. */

import { chmodSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { findPaths, type Paths } from '../../src/paths.ts';
import { isAlive, ourselves } from '../../src/runtime/alive.ts';
import { checkName, inventName, newId } from '../../src/runtime/ids.ts';
import { claimSlot, slotsInUse } from '../../src/runtime/slots.ts';
import { abandoned, clearMark, leaveMark, liveMark, markOf } from '../../src/runtime/marks.ts';
import { claimName, releaseName } from '../../src/runtime/names.ts';
import {
  type Container,
  containerFolder,
  findContainer,
  latestContainer,
  listActive,
  listContainers,
  makeFolder,
  readContainer,
  writeContainer,
} from '../../src/runtime/state.ts';
import type { Life } from '../../src/runtime/status.ts';
import { sweep } from '../../src/runtime/sweep.ts';
import { newUndo } from '../../src/runtime/undo.ts';
import { defaults, type Mapping } from '../../src/runtime/options.ts';
import { withTmp } from '../support/tmp.ts';
import { hasCode } from '../support/errors.ts';

const inFolder = (data: string): Paths => ({
  ...findPaths({ HOME: data, ROOTLESS_DATA: data, XDG_RUNTIME_DIR: data }),
  helper: join(data, 'helper'),
});
const dead = { ...ourselves(), startTime: '1' };

function make(paths: Paths, more: Partial<Container> = {}): Container {
  const id = newId();
  const maker = more.maker ?? ourselves();
  leaveMark(paths, id, maker);
  makeFolder(paths, id);
  const container: Container = {
    id,
    name: claimName(paths, id, undefined),
    image: 'i',
    imageId: undefined,
    base: { kind: 'host' },
    command: ['true'],
    created: new Date().toISOString(),
    maker,
    idMap: { uid: [{ containerID: 0, hostID: 100, size: 10 }], gid: [{ containerID: 0, hostID: 200, size: 10 }] },
    mode: 'ranges',
    slot: false,
    remove: false,
    network: 'none',
    ports: [],
    labels: {},
    options: { ...defaults, image: 'i' },
    ...more,
  };
  writeContainer(paths, container);
  return container;
}

/** What a monitor writes, by default one that runs. */
function writeLife(paths: Paths, id: string, more: Partial<Life> = {}): void {
  const life = { status: 'running', monitor: ourselves(), pid: 7, startTime: '1', started: '2026-01-01T00:00:00Z', restarts: 0, ...more };
  writeFileSync(join(containerFolder(paths, id), 'status.json'), JSON.stringify(life));
}

test('ids are 64 hex digits, and never the same', () => {
  const ids = Array.from({ length: 50 }, newId);
  for (const id of ids) assert.match(id, /^[0-9a-f]{64}$/);
  assert.is(new Set(ids).size, ids.length);
});

test('a name is made from the id: the same one each time, a longer one when it is taken', () => {
  const id = newId();
  assert.is(inventName(id), inventName(id));
  assert.match(inventName(id), /^[a-z]+_[a-z]+$/);
  assert.match(inventName(id, 1), /^[a-z]+_[a-z]+\d+$/);
});

test('names are those that docker takes', () => {
  for (const name of ['web', 'web-1', 'a.b_c', '0x']) assert.is(checkName(name), name);
  for (const name of ['', 'a', '-a', 'a b', '../x', 'ä1', 'a/b', 'x'.repeat(129)])
    assert.throws(() => checkName(name), hasCode('NAME_INVALID'), name);
});

test('a name belongs to one container until it is released', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const one = make(paths);
    releaseName(paths, one.name, one.id);
    assert.is(claimName(paths, one.id, 'web'), 'web');
    assert.throws(() => claimName(paths, newId(), 'web'), hasCode('NAME_IN_USE'));
    // Whoever renames is not told to remove the other.
    assert.throws(
      () => claimName(paths, newId(), 'web', 'another'),
      (error: unknown) => error instanceof RootlessError && error.fix === 'another',
    );
    releaseName(paths, 'web', newId());
    assert.throws(() => claimName(paths, newId(), 'web'), hasCode('NAME_IN_USE'));
    releaseName(paths, 'web', one.id);
    assert.is(claimName(paths, newId(), 'web'), 'web');
  }));

test('the name of a container that is no more can be had', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    claimName(paths, newId(), 'web');
    assert.is(claimName(paths, newId(), 'web'), 'web');
  }));

test('a container is created until a monitor wrote of it, and then what the monitor says', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const { id } = make(paths);
    const now = () => readContainer(paths, id);
    assert.is(now()?.status, 'created');
    assert.is(now()?.exit, undefined);
    writeLife(paths, id);
    assert.is(now()?.status, 'running');
    assert.is(now()?.life?.pid, 7);
    writeLife(paths, id, { paused: true });
    assert.is(now()?.status, 'paused');
    writeLife(paths, id, { status: 'restarting', code: 3, finished: 'then', restarts: 2 });
    assert.is(now()?.status, 'restarting');
    assert.is(now()?.exit?.code, 3);
    writeLife(paths, id, { status: 'exited', code: 3, finished: 'then', oom: true });
    assert.is(now()?.status, 'exited');
    assert.equal(now()?.exit, { code: 3, finished: 'then', oom: true });
  }));

test('a container whose monitor was killed has exited with 137, and so has one of an earlier boot', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const { id } = make(paths);
    for (const monitor of [dead, { ...ourselves(), bootId: 'another' }]) {
      writeLife(paths, id, { monitor, paused: true });
      const found = readContainer(paths, id);
      assert.is(found?.status, 'exited');
      assert.is(found?.exit?.code, 137);
      assert.ok(Date.parse(found?.exit?.finished ?? '') <= Date.now());
    }
  }));

test('a start that failed is remembered without a life', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const { id } = make(paths);
    writeFileSync(join(containerFolder(paths, id), 'failure.json'), '{"code":127,"error":"not found","finished":"then"}');
    assert.is(readContainer(paths, id)?.status, 'created');
    assert.is(readContainer(paths, id)?.exit?.code, 127);
    writeFileSync(join(containerFolder(paths, id), 'failure.json'), '{"code":127,"error":"not found","finished":"then","ran":true}');
    assert.is(readContainer(paths, id)?.status, 'exited');
  }));

test('damaged files of a container make it dead, not unseen', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    for (const text of ['', '{"id":', 'null', '[]', '{"id":"other"}', undefined]) {
      const { id, name } = make(paths);
      clearMark(paths, id);
      const file = join(containerFolder(paths, id), 'container.json');
      if (text === undefined) rmSync(file);
      else writeFileSync(file, text);
      assert.is(findContainer(paths, name).status, 'dead', `${text}`);
      assert.is(findContainer(paths, id.slice(0, 12)).name, name);
    }
    const { id } = make(paths);
    for (const text of ['', '{}', 'null', '{"status":"running"}']) {
      writeFileSync(join(containerFolder(paths, id), 'status.json'), text);
      assert.is(readContainer(paths, id)?.status, 'created', text);
    }
  }));

test('a reused pid and another boot are not the maker', () => {
  assert.ok(isAlive(ourselves()));
  assert.not.ok(isAlive(dead));
  assert.not.ok(isAlive({ ...ourselves(), bootId: 'another' }));
  assert.not.ok(isAlive({ ...ourselves(), pid: 2 ** 22 + 1 }));
});

test('a container is found by name, by id and by a beginning that only it has', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const one = make(paths);
    assert.is(findContainer(paths, one.name).id, one.id);
    assert.is(findContainer(paths, one.id).id, one.id);
    assert.is(findContainer(paths, one.id.slice(0, 12)).id, one.id);
    for (const wanted of ['nope', '', '..', '../names', 'f'.repeat(65)])
      assert.throws(() => findContainer(paths, wanted), hasCode('CONTAINER_NOT_FOUND'), wanted);
    while (listContainers(paths).length < 17) make(paths);
    const first = listContainers(paths).map((container) => container.id[0] ?? '');
    const shared = first.find((digit, index) => first.indexOf(digit) !== index) ?? '';
    assert.throws(() => findContainer(paths, shared), hasCode('CONTAINER_AMBIGUOUS'));
  }));

test('the list is newest first, and skips what is just being made', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    assert.throws(() => latestContainer(paths), hasCode('CONTAINER_NOT_FOUND'));
    const old = make(paths, { created: '2026-01-01T00:00:00.000Z' });
    const fresh = make(paths, { created: '2026-02-01T00:00:00.000Z' });
    const half = newId();
    leaveMark(paths, half, ourselves());
    makeFolder(paths, half);
    assert.equal(
      listContainers(paths).map((container) => container.id),
      [fresh.id, old.id],
    );
    assert.is(latestContainer(paths).id, fresh.id);
  }));

test('whatever has the place of a mark makes way, or nothing could ever remove the container', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const id = newId();
    leaveMark(paths, id, dead);
    chmodSync(liveMark(paths, id), 0);
    leaveMark(paths, id, ourselves());
    assert.is(markOf(paths, id), 'alive');
    rmSync(liveMark(paths, id));
    mkdirSync(liveMark(paths, id));
    leaveMark(paths, id, dead);
    assert.is(markOf(paths, id), 'gone');
    rmSync(liveMark(paths, id));
    mkdirSync(liveMark(paths, id));
    clearMark(paths, id);
    assert.is(markOf(paths, id), 'none');
  }));

test('those that run or will again are found by their status alone, newest first', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    make(paths);
    const ended = make(paths);
    writeLife(paths, ended.id, { status: 'exited', code: 0, finished: 'then' });
    const killed = make(paths);
    writeLife(paths, killed.id, { monitor: dead });
    const old = make(paths, { created: '2026-01-01T00:00:00.000Z' });
    writeLife(paths, old.id, { paused: true });
    const fresh = make(paths, { created: '2026-02-01T00:00:00.000Z' });
    writeLife(paths, fresh.id, { status: 'restarting', code: 1, finished: 'then' });
    assert.equal(
      listActive(paths).map(({ id, status }) => [id, status]),
      [
        [fresh.id, 'restarting'],
        [old.id, 'paused'],
      ],
    );
  }));

test('what a dead maker left is seen until its mark is cleared', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    make(paths);
    const left = make(paths, { maker: dead });
    assert.equal(abandoned(paths), [left.id]);
    clearMark(paths, left.id);
    assert.equal(abandoned(paths), []);
  }));

test('a mark that was cut short counts for a moment only', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const { id } = make(paths);
    writeFileSync(liveMark(paths, id), '');
    assert.is(markOf(paths, id), 'alive');
    utimesSync(liveMark(paths, id), 1, 1);
    assert.is(markOf(paths, id), 'gone');
    clearMark(paths, id);
    assert.is(markOf(paths, id), 'none');
  }));

test('after a kill everything goes that the killed one had: folder, name and mark', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    const id = newId();
    const before = claimName(paths, id, undefined);
    leaveMark(paths, id, dead);
    makeFolder(paths, id);
    await sweep(paths, abandoned(paths));
    assert.equal(abandoned(paths), []);
    assert.equal(readdirSync(join(folder, 'store', 'names')), []);
    assert.equal(readdirSync(join(folder, 'store', 'containers')), []);
    assert.ok(before);
  }));

test('containers with a slot hold their ids, running or not', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    make(paths);
    assert.equal(slotsInUse(paths), { uid: [], gid: [] });
    make(paths, { slot: true, maker: dead });
    assert.equal(slotsInUse(paths), { uid: [{ start: 100, size: 10 }], gid: [{ start: 200, size: 10 }] });
  }));

test('two containers that start at once never get one slot, and a dead one holds none', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const choose = ({ uid }: { readonly uid: readonly { start: number; size: number }[] }): Mapping => {
      const start = Math.max(1000, ...uid.map((range) => range.start + range.size));
      const extents = [{ containerID: 0, hostID: start, size: 10 }];
      return { mode: 'ranges', idMap: { uid: extents, gid: extents } };
    };
    const start = (maker = ourselves()) => {
      const id = newId();
      leaveMark(paths, id, maker);
      return { id, slot: claimSlot(paths, id, choose) };
    };
    const first = start();
    assert.is(first.slot.mapping.idMap.uid[0]?.hostID, 1000);
    assert.is(start().slot.mapping.idMap.uid[0]?.hostID, 1010);
    clearMark(paths, first.id);
    assert.is(start().slot.mapping.idMap.uid[0]?.hostID, 1000);
  }));

test('what was made is undone in reverse, past failures, unless it is kept', async () => {
  const done: number[] = [];
  const undo = newUndo();
  undo.add(() => void done.push(1));
  undo.add(() => Promise.reject(new Error('broken')));
  undo.add(() => void done.push(3));
  await undo.run();
  await undo.run();
  assert.equal(done, [3, 1]);
  undo.add(() => void done.push(9));
  undo.keep();
  await undo.run();
  assert.equal(done, [3, 1]);
});

test.run();
