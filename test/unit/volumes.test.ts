/** Volumes on disk: their records, who has them, and what may not be one; and whom the caller stands for in a container. */

import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findPaths, type Paths } from '../../src/paths.ts';
import { ourselves } from '../../src/runtime/alive.ts';
import { closedFolder } from '../../src/runtime/closed-folder.ts';
import { fitIds } from '../../src/runtime/fit-ids.ts';
import { newId } from '../../src/runtime/ids.ts';
import { findUser } from '../../src/runtime/image-user.ts';
import { clearMark, leaveMark } from '../../src/runtime/marks.ts';
import { type ContainerOptions, defaults, type Mapping, type MountRequest } from '../../src/runtime/options.ts';
import { mayFit } from '../../src/runtime/settle-ids.ts';
import { containerFolder, makeFolder, writeContainer } from '../../src/runtime/state.ts';
import { claimVolume, settleVolume, sweepLinks, usersOf } from '../../src/runtime/volume-claims.ts';
import { storedIds } from '../../src/runtime/volume-fill.ts';
import { mapOf } from '../../src/runtime/volume-ids.ts';
import { backingOf, checkVolumeOptions } from '../../src/runtime/volume-options.ts';
import {
  changeVolumes,
  findVolume,
  listVolumes,
  makeVolume,
  readVolume,
  type VolumeRecord,
  volumeFolder,
} from '../../src/runtime/volume-store.ts';
import { allMounts } from '../../src/runtime/volumes.ts';
import type { Host } from '../../src/userns/host.ts';
import { withTmp } from '../support/tmp.ts';
import { hasCode } from '../support/errors.ts';

const inFolder = (data: string): Paths => findPaths({ HOME: data, ROOTLESS_DATA: data, XDG_RUNTIME_DIR: data });
const record = (name: string, more: Partial<VolumeRecord> = {}): VolumeRecord => ({
  name,
  created: '2026-01-02T03:04:05Z',
  labels: {},
  options: {},
  anonymous: false,
  ...more,
});
const withStore = (body: (paths: Paths, folder: string) => Promise<void> | void) => () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    mkdirSync(join(paths.data, 'volumes'), { recursive: true });
    await body(paths, folder);
  });

test(
  'a volume is what its record says, also when that is lost',
  withStore((paths) => {
    makeVolume(paths, record('data', { labels: { a: 'b' } }));
    const found = findVolume(paths, 'data');
    assert.equal(found.labels, { a: 'b' });
    assert.is(found.mountpoint, join(paths.data, 'volumes/data/_data'));
    writeFileSync(join(found.folder, 'volume.json'), '{"created": ');
    assert.equal(findVolume(paths, 'data').labels, {});
    assert.equal(
      listVolumes(paths).map(({ name }) => name),
      ['data'],
    );
  }),
);

for (const name of ['', '.', '..', '.hidden', '-x', 'a/b', '../x', 'a b', 'ä', 'x'.repeat(256)]) {
  test(
    `"${name.slice(0, 20)}" is no name of a volume`,
    withStore((paths) => {
      assert.throws(() => makeVolume(paths, record(name)), hasCode('VOLUME_NAME_INVALID'));
      assert.is(readVolume(paths, name), undefined);
      assert.throws(() => findVolume(paths, name), hasCode('VOLUME_NOT_FOUND'));
    }),
  );
}

test(
  'a link or a file in the place of a volume is refused and not listed',
  withStore((paths, folder) => {
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    const id = newId();
    symlinkSync(elsewhere, volumeFolder(paths, 'link'));
    symlinkSync(`../containers/${id}/volumes/other`, volumeFolder(paths, 'almost'));
    writeFileSync(volumeFolder(paths, 'file'), '');
    for (const name of ['link', 'almost', 'file']) assert.throws(() => readVolume(paths, name), hasCode('VOLUME_INVALID'), name);
    assert.equal(listVolumes(paths), []);
  }),
);

test(
  'a volume of a container that goes with it lies in its folder, until another one has it too',
  withStore((paths) => {
    const [id, name] = [newId(), newId()];
    const folder = makeFolder(paths, id);
    const volume = makeVolume(paths, record(name, { anonymous: true }), folder);
    writeFileSync(join(volume.mountpoint, 'f'), '');
    assert.ok(existsSync(join(folder, 'volumes', name, '_data/f')));
    assert.is(findVolume(paths, name).anonymous, true);
    settleVolume(volume);
    assert.ok(lstatSync(volume.folder).isDirectory());
    assert.ok(existsSync(join(volume.mountpoint, 'f')));
    assert.not.ok(existsSync(join(folder, 'volumes', name)));
    settleVolume(volume);
  }),
);

test(
  'links of volumes that went are taken away, others stay',
  withStore((paths) => {
    const gone = newId();
    symlinkSync(`../containers/${newId()}/volumes/${gone}`, volumeFolder(paths, gone));
    symlinkSync('/nowhere', volumeFolder(paths, 'foreign'));
    assert.is(readVolume(paths, gone), undefined);
    sweepLinks(paths);
    assert.equal(readdirSync(join(paths.data, 'volumes')), ['foreign']);
    assert.is(readlinkSync(volumeFolder(paths, 'foreign')), '/nowhere');
  }),
);

test(
  'a volume is had by containers that exist or are being made; the claims of others are forgotten',
  withStore((paths) => {
    const volume = makeVolume(paths, record('data'));
    const [made, making, gone] = [newId(), newId(), newId()];
    makeFolder(paths, made);
    leaveMark(paths, making, ourselves());
    for (const id of [gone, made, making]) claimVolume(paths, volume, id, '{}');
    assert.equal(usersOf(paths, volume).sort(), [made, making].sort());
    clearMark(paths, making);
    claimVolume(paths, volume, made, '{}');
    assert.equal(readdirSync(join(volume.folder, 'users')), [made]);
  }),
);

test(
  'changes of the set of volumes wait for each other',
  withStore(async (paths) => {
    const names = await Promise.all(
      Array.from({ length: 20 }, () =>
        changeVolumes(
          paths,
          () => readVolume(paths, 'one')?.created ?? makeVolume(paths, record('one', { created: String(Math.random()) })).created,
        ),
      ),
    );
    assert.is(new Set(names).size, 1);
  }),
);

for (const [options, code] of [
  [{}, undefined],
  [{ type: 'tmpfs', device: 'tmpfs', o: 'size=64m,uid=1000' }, undefined],
  [{ type: 'none', device: '/srv', o: 'bind,ro' }, undefined],
  [{ device: '/srv', o: 'rbind' }, undefined],
  [{ size: '1g' }, 'VOLUME_OPTIONS_INVALID'],
  [{ type: 'none', o: 'bind' }, 'VOLUME_OPTIONS_INVALID'],
  [{ type: 'none', device: 'relative', o: 'bind' }, 'VOLUME_OPTIONS_INVALID'],
  [{ type: 'tmpfs', o: 'uid=x' }, 'VOLUME_OPTIONS_INVALID'],
  [{ type: 'none', device: '/srv', o: 'bind,size=1m' }, 'VOLUME_OPTIONS_INVALID'],
  [{ type: 'nfs', device: ':/export', o: 'addr=10.0.0.1' }, 'VOLUME_OPTIONS_REFUSED'],
  [{ device: '/dev/sda1', type: 'ext4' }, 'VOLUME_OPTIONS_REFUSED'],
  [{ device: '/srv' }, 'VOLUME_OPTIONS_REFUSED'],
] as const) {
  test(`volume options ${JSON.stringify(options)} are ${code ?? 'taken'}`, () => {
    if (code === undefined) checkVolumeOptions(options);
    else assert.throws(() => checkVolumeOptions(options), hasCode(code));
  });
}

test(
  'what a volume with options stands for',
  withStore((paths, folder) => {
    const made = (options: Record<string, string>) => backingOf({ ...makeVolume(paths, record('x')), options });
    assert.is(made({}), undefined);
    assert.equal(made({ type: 'tmpfs', o: 'size=1m' }), { kind: 'tmpfs', options: ['size=1m'] });
    assert.equal(made({ device: folder, o: 'bind,ro' }), { kind: 'path', source: folder, options: ['bind', 'ro'] });
    assert.throws(() => made({ device: join(folder, 'none'), o: 'bind' }), hasCode('VOLUME_DEVICE_MISSING'));
  }),
);

const options = (more: Partial<ContainerOptions> = {}): ContainerOptions => ({ ...defaults, image: 'i', ...more });
const bind = (source: string, target: string, more: object = {}): MountRequest => ({
  kind: 'bind',
  source,
  target,
  readOnly: false,
  options: [],
  createSource: true,
  ...more,
});
const mapping: Mapping = {
  mode: 'ranges',
  idMap: { uid: [{ containerID: 0, hostID: 1000, size: 1 }], gid: [{ containerID: 0, hostID: 100, size: 1 }] },
};

test(
  'mounts of other containers and VOLUMEs of the image come after what was asked for, and each volume has a name',
  withStore((paths) => {
    const source = newId();
    makeFolder(paths, source);
    const theirs: MountRequest[] = [
      bind('/theirs', '/a'),
      bind('/theirs', '/shared'),
      { kind: 'volume', name: 'v', target: '/v', readOnly: false },
      { kind: 'tmpfs', target: '/t', options: [] },
    ];
    writeContainer(paths, {
      ...{ id: source, name: 'n', image: 'i', imageId: undefined, base: { kind: 'host' }, command: [], created: '', maker: ourselves() },
      ...{ idMap: mapping.idMap, mode: 'ranges', slot: false, remove: false, network: 'none', ports: [], labels: {} },
      options: options({ mounts: theirs }),
    });
    const all = allMounts(paths, options({ mounts: [bind('/own', '/a')], volumesFrom: [{ container: source, access: 'ro' }] }), [
      '/v',
      '/image',
    ]);
    assert.equal(
      all.map(({ target }) => target),
      ['/a', '/shared', '/v', '/image'],
    );
    const [own, shared, volume, image] = all;
    assert.is(own?.kind === 'bind' && own.source, '/own');
    assert.is(shared?.kind === 'bind' && shared.readOnly, true);
    assert.is(volume?.kind === 'volume' && volume.name, 'v');
    assert.ok(image?.kind === 'volume' && image.anonymous && /^[0-9a-f]{64}$/.test(image.name ?? ''));
    assert.throws(() => allMounts(paths, options({ volumesFrom: [{ container: 'nobody' }] }), []), hasCode('CONTAINER_NOT_FOUND'));
    writeFileSync(join(containerFolder(paths, source), 'container.json'), '{');
    assert.throws(() => allMounts(paths, options({ volumesFrom: [{ container: source }] }), []), hasCode('CONTAINER_DEAD'));
  }),
);

test('ids are stored as the mapping has them, and read back; one id is one id whoever it stands for', () => {
  const host = { uid: 1000, gid: 100 } as Host;
  assert.equal(mapOf(storedIds(mapping), host), mapping.idMap);
  const single = (uid: number): Mapping => ({ mode: 'single', idMap: { uid: [{ containerID: uid, hostID: 1000, size: 1 }], gid: [] } });
  assert.is(storedIds(single(0)), storedIds(single(33)));
  assert.equal(mapOf(storedIds(single(33)), host).uid, [{ containerID: 0, hostID: 1000, size: 1 }]);
  for (const text of ['', '{', 'null', '[', '{"uid":7}', '{"uid":[[1]]}']) {
    assert.throws(() => mapOf(text, host), hasCode('VOLUME_INVALID'), text);
  }
});

const passwd = 'root:x:0:0::/root:/bin/sh\nana:x:1000:1001::/home/ana:/bin/sh\n1000:x:7:8::/:/bin/sh\nbroken\n';

test('a user of an image is found by the rule of the helper', () =>
  withTmp((folder) => {
    mkdirSync(join(folder, 'low/etc'), { recursive: true });
    mkdirSync(join(folder, 'top/usr'), { recursive: true });
    writeFileSync(join(folder, 'low/etc/passwd'), passwd);
    writeFileSync(join(folder, 'low/etc/group'), 'www:x:33:\n');
    const layers = { base: folder, lower: ['top', 'low'] };
    for (const [wish, wanted] of [
      ['', { uid: 0, gid: 0 }],
      ['ana', { uid: 1000, gid: 1001 }],
      ['1000', { uid: 7, gid: 8 }],
      ['ana:www', { uid: 1000, gid: 33 }],
      ['ana:9', { uid: 1000, gid: 9 }],
      ['4242', { uid: 4242, gid: 0 }],
      ['5:6', { uid: 5, gid: 6 }],
      ['nobody', undefined],
      ['ana:nobody', undefined],
      ['4294967295', undefined],
    ] as const) {
      assert.equal(findUser(layers, wish), wanted, wish);
    }
    // A layer whose /etc leads out of the image is not followed.
    mkdirSync(join(folder, 'evil'));
    symlinkSync(join(folder, 'low/etc'), join(folder, 'evil/etc'));
    assert.is(findUser({ base: folder, lower: ['evil'] }, 'ana'), undefined);
  }));

const me: Host = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  name: 'me',
  canMap: true,
  privilegesBarred: undefined,
  outer: { uid: [{ start: 0, size: 0xffffffff }], gid: [{ start: 0, size: 0xffffffff }] },
  subids: { uid: [{ start: 500000, size: 65536 }], gid: [{ start: 500000, size: 65536 }] },
  mappers: { uid: undefined, gid: undefined },
};

test('the image decides who the caller is only where nobody else did and something of the host is mounted', () => {
  const mounts = [bind('/x', '/x')];
  const ana = { ...me, uid: 1000 };
  assert.ok(mayFit(options({ mounts }), ana, mapping));
  assert.not.ok(mayFit(options(), ana, mapping));
  assert.not.ok(mayFit(options({ mounts, userns: { kind: 'host', chosen: true } }), ana, mapping));
  assert.not.ok(mayFit(options({ mounts, userns: { kind: 'keep-id' } }), ana, mapping));
  assert.not.ok(mayFit(options({ mounts }), { ...me, uid: 0 }, mapping));
  assert.not.ok(mayFit(options({ mounts }), ana, { ...mapping, mode: 'single' }));
});

test(
  'a folder of the caller is used as the user of the image',
  withStore((paths, folder) => {
    const fit = (mounts: readonly MountRequest[], user: string) =>
      fitIds({ paths, id: newId(), host: me, options: options({ mounts }), user, layers: { base: folder, lower: [] } });
    const fitted = fit([bind(folder, '/src')], '1000:1001');
    assert.ok(fitted?.idMap.uid.some(({ containerID, hostID }) => containerID === 1000 && hostID === me.uid));
    assert.ok(fitted?.idMap.gid.some(({ containerID, hostID }) => containerID === 1001 && hostID === me.gid));
    assert.ok(fit([bind(join(folder, 'missing'), '/src')], '1000:1001'), '-v makes it, and then it is the caller’s');
    assert.is(fit([bind(folder, '/src')], '0'), undefined, 'root is the caller anyway');
    assert.is(fit([bind(folder, '/src')], 'unknown'), undefined);
    assert.is(fit([bind('/dev/null', '/null')], '1000:1001'), undefined, 'no file or folder');
    const file = join(folder, 'conf');
    writeFileSync(file, '', { mode: 0o644 });
    assert.is(fit([bind(file, '/conf', { readOnly: true })], '1000:1001'), undefined, 'anybody may read it');
    assert.ok(fit([bind(file, '/conf')], '1000:1001'));
  }),
);

test('a folder above a mount that the root of the container may not enter is found', () =>
  withTmp((folder) => {
    mkdirSync(join(folder, 'closed/in'), { recursive: true, mode: 0o755 });
    const [own, nobody] = [[{ containerID: 0, hostID: lstatSync(folder).uid, size: 1 }], [{ containerID: 0, hostID: 77, size: 1 }]];
    const groups = [{ containerID: 0, hostID: lstatSync(folder).gid, size: 1 }];
    // A new temporary folder is closed to others.
    assert.is(closedFolder(join(folder, 'closed/in/x'), nobody, groups), folder);
    assert.is(closedFolder(join(folder, 'closed/in/x'), own, nobody), folder);
    assert.is(closedFolder(join(folder, 'closed/in/x'), own, groups), undefined);
    assert.is(closedFolder('/usr/bin/x', nobody, nobody), undefined);
  }));

test.run();
