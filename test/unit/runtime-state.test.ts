/** Containers on disk: names, marks of their makers, and what is read back. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { findPaths, type Paths } from '../../src/paths.ts';
import { isAlive, ourselves } from '../../src/runtime/alive.ts';
import { checkName, inventName, newId } from '../../src/runtime/ids.ts';
import { claimSlot, slotsInUse } from '../../src/runtime/slots.ts';
import {
  abandoned,
  claimName,
  clearMark,
  type Container,
  findContainer,
  leaveMark,
  listContainers,
  makeFolder,
  readContainer,
  releaseName,
  writeContainer,
  writeExit,
} from '../../src/runtime/state.ts';
import { sweep } from '../../src/runtime/sweep.ts';
import { newUndo } from '../../src/runtime/undo.ts';
import { makeVolumes } from '../../src/runtime/volumes.ts';
import { defaults, type Mapping } from '../../src/runtime/options.ts';
import { withTmp } from '../support/tmp.ts';

const hasCode = (code: string) => (error: unknown) => error instanceof RootlessError && error.code === code;
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
    ...more,
  };
  writeContainer(paths, container);
  return container;
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
    releaseName(paths, one.name);
    assert.is(claimName(paths, one.id, 'web'), 'web');
    assert.throws(() => claimName(paths, newId(), 'web'), hasCode('NAME_IN_USE'));
    releaseName(paths, 'web');
    assert.is(claimName(paths, newId(), 'web'), 'web');
  }));

test('the name of a container that is no more can be had', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    claimName(paths, newId(), 'web');
    assert.is(claimName(paths, newId(), 'web'), 'web');
  }));

test('a container runs while its maker does, and has exited after that or once its exit is written', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const running = make(paths);
    assert.is(readContainer(paths, running.id)?.status, 'running');
    assert.is(readContainer(paths, make(paths, { maker: dead }).id)?.status, 'exited');
    writeExit(paths, running.id, { code: 3, finished: 'now' });
    assert.equal(readContainer(paths, running.id)?.exit, { code: 3, finished: 'now' });
    assert.is(readContainer(paths, running.id)?.status, 'exited');
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
    for (const wanted of ['nope', '', '..', 'f'.repeat(65)])
      assert.throws(() => findContainer(paths, wanted), hasCode('CONTAINER_NOT_FOUND'), wanted);
    while (listContainers(paths).length < 17) make(paths);
    const first = listContainers(paths).map((container) => container.id[0] ?? '');
    const shared = first.find((digit, index) => first.indexOf(digit) !== index) ?? '';
    assert.throws(() => findContainer(paths, shared), hasCode('CONTAINER_AMBIGUOUS'));
  }));

test('the list is newest first, and skips what is half written', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const old = make(paths, { created: '2026-01-01T00:00:00.000Z' });
    const fresh = make(paths, { created: '2026-02-01T00:00:00.000Z' });
    mkdirSync(join(folder, 'store', 'containers', newId()));
    const damaged = make(paths);
    writeFileSync(join(folder, 'store', 'containers', damaged.id, 'container.json'), '{"id":');
    assert.equal(
      listContainers(paths).map((container) => container.id),
      [fresh.id, old.id],
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

test('only running containers with a slot hold ids', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    make(paths);
    make(paths, { slot: true, maker: dead });
    assert.equal(slotsInUse(paths), { uid: [], gid: [] });
    make(paths, { slot: true });
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

test('volumes have a folder each: shared by name, or in the container', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const mounts = [
      { kind: 'volume', name: 'db', target: '/db', readOnly: false },
      { kind: 'volume', target: '/scratch', readOnly: false },
    ] as const;
    const made = makeVolumes(paths, join(folder, 'c'), { ...defaults, image: 'i', mounts }, ['/image']);
    assert.equal(made, { '/db': join(folder, 'store', 'volumes', 'db'), '/scratch': join(folder, 'c', 'volumes', '1') });
    const sealed = makeVolumes(paths, join(folder, 'c'), { ...defaults, image: 'i', mounts, readOnly: true }, ['/image', '/db']);
    assert.ok(sealed['/image']);
    assert.is(sealed['/db'], join(folder, 'store', 'volumes', 'db'));
    for (const name of ['../x', 'a b', '-x']) {
      const bad = [{ kind: 'volume', name, target: '/x', readOnly: false }] as const;
      assert.throws(() => makeVolumes(paths, folder, { ...defaults, image: 'i', mounts: bad }, []), hasCode('VOLUME_NAME_INVALID'), name);
    }
  }));

test.run();
