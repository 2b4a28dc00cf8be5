/** Which mapping a host gets, and what is said when it cannot give the one that was asked for. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { chooseMapping, mapWantedUser, type UsernsRequest } from '../../src/userns/choose.ts';
import { barred, type Host, holdsSetids } from '../../src/userns/host.ts';
import { mountFlags } from '../../src/userns/newuidmap.ts';
import { ana } from '../support/host.ts';

const range = (start: number, size: number) => ({ start, size });
const none = { uid: [], gid: [] };
const some = ana.subids;
const programs = ana.mappers;

const thrown = (request: UsernsRequest, host: Host): RootlessError => {
  try {
    chooseMapping(request, host);
  } catch (error) {
    assert.instance(error, RootlessError);
    return error as RootlessError;
  }
  return assert.unreachable() as never;
};

test('a user with ranges gets them through newuidmap, with root as itself', () => {
  const { mode, idMap, notice } = chooseMapping({ kind: 'host' }, ana);
  assert.is(mode, 'ranges');
  assert.is(notice, undefined);
  assert.equal(idMap.uid, [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 100000, size: 65536 },
  ]);
  assert.is(idMap.gid[0]?.hostID, 100);
  assert.is(idMap.newuidmap, '/usr/bin/newuidmap');
});

test('root without ranges maps everything onto itself, without any program', () => {
  const { mode, idMap } = chooseMapping({ kind: 'host' }, { ...ana, uid: 0, gid: 0, canMap: true, subids: none });
  assert.is(mode, 'direct');
  assert.equal(idMap, { uid: [{ containerID: 0, hostID: 0, size: 0xffffffff }], gid: [{ containerID: 0, hostID: 0, size: 0xffffffff }] });
});

test('a holder of CAP_SETUID without ranges is root inside, and is never given the root outside', () => {
  const { mode, idMap } = chooseMapping({ kind: 'host' }, { ...ana, canMap: true, subids: none });
  assert.is(mode, 'direct');
  assert.equal(idMap.uid[0], { containerID: 0, hostID: 1000, size: 1 });
  assert.not.ok(idMap.uid.some((extent) => extent.hostID === 0));
});

test('with ranges and CAP_SETUID the ranges are written directly', () => {
  const { mode, idMap } = chooseMapping({ kind: 'host' }, { ...ana, canMap: true });
  assert.is(mode, 'ranges');
  assert.is(idMap.newuidmap, undefined);
});

const obstacles: readonly (readonly [string, Partial<Host>, string])[] = [
  ['no ranges', { subids: none }, 'SUBID_MISSING'],
  ['ranges for users only', { subids: { uid: some.uid, gid: [] } }, 'SUBID_MISSING'],
  ['ranges outside the outer container', { outer: { uid: [range(0, 65536)], gid: [range(0, 65536)] } }, 'SUBID_MISSING'],
  ['no newuidmap', { mappers: { uid: undefined, gid: programs.gid } }, 'NEWUIDMAP_MISSING'],
  ['no newgidmap', { mappers: { uid: programs.uid, gid: undefined } }, 'NEWUIDMAP_MISSING'],
  [
    'a newuidmap where set-uid bits are ignored',
    { mappers: { uid: { path: '/proc/version', setuid: false }, gid: programs.gid } },
    'NEWUIDMAP_NOT_SETUID',
  ],
  ['no_new_privs', { privilegesBarred: 'no-new-privs' }, 'NEWUIDMAP_NOT_SETUID'],
  ['a bounding set without CAP_SETUID', { privilegesBarred: 'bounding-set' }, 'NEWUIDMAP_NOT_SETUID'],
];

for (const [name, difference, code] of obstacles) {
  test(`${name}: one single id by default, with one line of notice`, () => {
    const { mode, idMap, notice } = chooseMapping({ kind: 'host' }, { ...ana, ...difference });
    assert.is(mode, 'single');
    assert.equal(idMap, { uid: [{ containerID: 0, hostID: 1000, size: 1 }], gid: [{ containerID: 0, hostID: 100, size: 1 }] });
    assert.match(notice ?? '', /^one user id only: /);
    assert.not.match(notice ?? '', /\n/);
  });

  for (const kind of ['keep-id', 'nomap', 'auto'] as const) {
    test(`${name}: --userns ${kind} is refused with ${code}`, () => {
      const error = thrown({ kind }, { ...ana, ...difference });
      assert.is(error.code, code);
      assert.match(error.message, new RegExp(`^cannot use --userns ${kind}: `));
      assert.ok(error.why);
    });
  }
}

test('a range is missing in the file that is named, with the command that adds it', () => {
  assert.match(thrown({ kind: 'nomap' }, { ...ana, subids: none }).message, /"ana" in \/etc\/subuid$/);
  const error = thrown({ kind: 'nomap' }, { ...ana, subids: { uid: some.uid, gid: [] } });
  assert.match(error.message, /"ana" in \/etc\/subgid$/);
  assert.match(error.fix ?? '', /^sudo usermod --add-subuids .* ana$/);
});

test('keep-id shows the caller as itself, or as the ids that were asked for', () => {
  const kept = chooseMapping({ kind: 'keep-id' }, ana).idMap;
  assert.ok(kept.uid.some((extent) => extent.containerID === 1000 && extent.hostID === 1000));
  assert.ok(kept.gid.some((extent) => extent.containerID === 100 && extent.hostID === 100));
  const named = chooseMapping({ kind: 'keep-id', uid: 5, gid: 6 }, ana).idMap;
  assert.ok(named.uid.some((extent) => extent.containerID === 5 && extent.hostID === 1000));
  assert.ok(named.gid.some((extent) => extent.containerID === 6 && extent.hostID === 100));
});

test('nomap and auto leave the caller out', () => {
  for (const kind of ['nomap', 'auto'] as const) {
    const { idMap } = chooseMapping({ kind }, ana);
    assert.not.ok(idMap.uid.some((extent) => extent.hostID <= 1000));
    assert.is(idMap.uid[0]?.containerID, 0);
  }
});

test('auto avoids the ids of other containers, and says when none are left', () => {
  const taken = { uid: [range(100000, 60000)], gid: [range(200000, 60000)] };
  assert.is(chooseMapping({ kind: 'auto', size: 5000 }, ana, taken).idMap.uid[0]?.hostID, 160000);
  assert.throws(
    () => chooseMapping({ kind: 'auto', size: 9000 }, ana, taken),
    (error: unknown) => error instanceof RootlessError && error.code === 'USERNS_FULL',
  );
});

test('the one id stands for the user that was asked for by number', () => {
  const single = chooseMapping({ kind: 'host' }, { ...ana, subids: none });
  const idsOf = (user: string | undefined) => {
    const { idMap } = mapWantedUser(single, ana, user);
    return [idMap.uid[0]?.containerID, idMap.gid[0]?.containerID];
  };
  assert.equal(idsOf('33:44'), [33, 44]);
  assert.equal(idsOf('33'), [33, 0]);
  assert.equal(idsOf('www-data'), [0, 0]);
  assert.equal(idsOf(undefined), [0, 0]);
  const ranges = chooseMapping({ kind: 'host' }, ana);
  assert.is(mapWantedUser(ranges, ana, '33'), ranges);
});

test("privileges are read from the kernel's status of this process", () => {
  assert.ok(holdsSetids('CapEff:\t00000000000000c0\n', 'CapEff'));
  assert.not.ok(holdsSetids('CapEff:\t0000000000000040\nCapBnd:\t00000000000000c0\n', 'CapEff'));
  assert.is(barred('NoNewPrivs:\t1\nCapBnd:\tffffffffffffffff\n'), 'no-new-privs');
  assert.is(barred('NoNewPrivs:\t0\nCapBnd:\t0000000000000000\n'), 'bounding-set');
  assert.is(barred('NoNewPrivs:\t0\nCapBnd:\t000001ffffffffff\n'), undefined);
});

test('a program is on the longest mount point above it, and of two on one point the later counts', () => {
  const table = ['1 0 8:1 / / rw,relatime - ext4 x rw', '2 1 8:2 / /usr rw,nosuid - ext4 y rw', '3 1 8:3 / /us ro - ext4 z rw'].join('\n');
  assert.ok(mountFlags(table, '/usr/bin/newuidmap').includes('nosuid'));
  assert.not.ok(mountFlags(table, '/bin/newuidmap').includes('nosuid'));
  assert.not.ok(mountFlags(`${table}\n4 2 8:4 / /usr rw,relatime - ext4 w rw`, '/usr/bin/newuidmap').includes('nosuid'));
});

test.run();
