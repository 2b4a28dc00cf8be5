/** The helper's own verbs on layers: `unpack`, `flatten` and `remove` with real id maps, full disks and broken input. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { gid, helper, mode, uid } from '../support/checkout.ts';
import { live } from '../support/live.ts';
import { type Entry, pax, tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

type Extent = { readonly containerID: number; readonly hostID: number; readonly size: number };
type IdMap = { readonly uid: readonly Extent[]; readonly gid: readonly Extent[]; readonly newuidmap?: string; readonly newgidmap?: string };

const extent = (containerID: number, hostID: number, size: number): Extent => ({ containerID, hostID, size });
const one: IdMap = { uid: [extent(0, uid, 1)], gid: [extent(0, gid, 1)] };
const range = fullMap();

const call = (args: readonly string[], input: Buffer | string = '') => {
  const { status, stdout, stderr } = spawnSync(helper, args, { input, encoding: 'utf8' });
  return { code: status, stdout, stderr };
};
const unpack = (to: string, map: IdMap, layer: Buffer, ...flags: string[]) =>
  call(['unpack', '--to', to, '--idmap', JSON.stringify(map), ...flags], layer);
const remove = (map: IdMap, ...paths: string[]) => call(['remove', '--idmap', JSON.stringify(map), ...paths]);
/** Runs a program as root of the mapping and gives its output. */
const inside = (map: IdMap, ...argv: string[]) => call(['unshare', '--idmap', JSON.stringify(map), '--', ...argv]).stdout;

const owned = (name: string, more: Partial<Entry> = {}): Entry => ({ name, data: 'x', uid: 7, gid: 8, ...more });

/** Unpacks entries into a new folder, hands it over, and removes it as the ids that own it. */
const unpacked = (
  map: IdMap,
  entries: readonly Entry[],
  body: (to: string, summary: Record<string, unknown>) => void,
  ...flags: string[]
) =>
  withTmp((folder) => {
    const to = join(folder, 'to');
    const { code, stdout, stderr } = unpack(to, map, tarBytes(entries), ...flags);
    try {
      assert.is(code, 0, stderr);
      body(to, JSON.parse(stdout));
    } finally {
      assert.is(remove(map, to).code, 0);
    }
    assert.not.ok(existsSync(to));
  });

if (range) {
  const map = range;
  const host = (extents: readonly Extent[], id: number) => {
    const extent = extents.find(({ containerID, size }) => id >= containerID && id < containerID + size);
    return extent && extent.hostID + id - extent.containerID;
  };

  live('files belong to the ids that the map gives, with their set-id bits', ['userns'], () =>
    unpacked(map, [owned('f', { mode: 0o4755 }), owned('d/', { type: '5', mode: 0o2750, data: '' })], (to, summary) => {
      for (const [name, bits] of [
        ['f', 0o4755],
        ['d', 0o2750],
      ] as const) {
        const stat = statSync(join(to, name));
        assert.equal([stat.uid, stat.gid, stat.mode & 0o7777], [host(map.uid, 7), host(map.gid, 8), bits], name);
      }
      assert.equal([summary['maxUid'], summary['maxGid'], summary['entries']], [7, 8, 2]);
    }),
  );

  live('a folder that hands its group on hands nothing on to what is unpacked into it', ['userns'], () =>
    unpacked(map, [owned('d/', { type: '5', mode: 0o2775, data: '' }), { name: 'd/f', data: '' }, { name: 'd/made/f', data: '' }], (to) => {
      for (const name of ['d/f', 'd/made', 'd/made/f']) {
        const stat = statSync(join(to, name));
        assert.equal([stat.gid, stat.mode & 0o2000], [host(map.gid, 0), 0], name);
      }
    }),
  );

  live('a file capability is kept, for this mapping only', ['userns', 'python'], () => {
    const capability = `\x01\0\0\x02\0\x04\0\0${'\0'.repeat(12)}`;
    return unpacked(map, [pax({ 'SCHILY.xattr.security.capability': capability }), owned('f')], (to) => {
      const script = `import os; print(os.getxattr('${join(to, 'f')}', 'security.capability').hex())`;
      assert.match(inside(map, 'python3', '-c', script), /^0100000200040000/);
    });
  });

  live('flatten keeps owners and merges as an overlay would', ['userns'], () =>
    withTmp((folder) => {
      const [top, low, to] = ['top', 'low', 'to'].map((name) => join(folder, name)) as [string, string, string];
      assert.is(unpack(low, map, tarBytes([owned('a'), owned('gone'), owned('d/old')])).code, 0);
      assert.is(unpack(top, map, tarBytes([owned('.wh.gone'), owned('d/.wh..wh..opq'), owned('d/new', { uid: 9 })])).code, 0);
      const { code, stderr } = call(['flatten', '--to', to, '--idmap', JSON.stringify(map), top, low]);
      assert.is(code, 0, stderr);
      assert.equal([readdirSync(to).sort(), readdirSync(join(to, 'd'))], [['a', 'd'], ['new']]);
      assert.equal([statSync(join(to, 'a')).uid, statSync(join(to, 'd/new')).uid], [host(map.uid, 7), host(map.uid, 9)]);
      assert.is(remove(map, top, low, to).code, 0);
      assert.equal(readdirSync(folder), []);
    }),
  );

  const [users, groups] = [map.uid, map.gid].map((extents) =>
    extents.map((one) => ({ ...one, containerID: one.containerID - 1 })).slice(-1),
  );
  if (users && groups && uid !== 0) {
    live('a mapping without the caller works below a folder that only the caller may enter', ['userns'], () =>
      withTmp((folder) => {
        const foreign: IdMap = { ...map, uid: users, gid: groups };
        const [to, copy] = [join(folder, 'to'), join(folder, 'copy')];
        for (const { code, stderr } of [
          unpack(to, foreign, tarBytes([owned('f')])),
          call(['flatten', '--to', copy, '--idmap', JSON.stringify(foreign), to]),
        ]) {
          assert.is(code, 0, stderr);
        }
        for (const tree of [to, copy]) {
          assert.equal([statSync(tree).uid, statSync(join(tree, 'f')).uid], [host(users, 0), host(users, 7)]);
        }
        assert.is(remove(foreign, to, copy).code, 0);
        assert.equal(readdirSync(folder), []);
      }),
    );
  }

  live('folders of other ids without any permission are removed', ['userns'], () =>
    withTmp((folder) => {
      const to = join(folder, 'to');
      const closed = [
        owned('work/', { type: '5', mode: 0, data: '' }),
        owned('work/work/', { type: '5', mode: 0, data: '' }),
        owned('work/work/f'),
      ];
      assert.is(unpack(to, map, tarBytes(closed)).code, 0);
      assert.is(remove(map, to).code, 0);
      assert.equal(readdirSync(folder), []);
    }),
  );
}

live('an owner that is not in the map is named, with the file', ['userns'], () =>
  withTmp((folder) => {
    const to = join(folder, 'to');
    for (const entry of [owned('usr/f'), owned('usr/f', { type: '5', data: '' }), owned('usr/f', { type: '2', link: 'x', data: '' })]) {
      const { code, stderr } = unpack(to, one, tarBytes([entry]));
      assert.is(code, 125);
      assert.match(stderr, /^rootless-helper: error: unpack "usr\/f": EINVAL: .*7:8.*id map/);
      assert.is(remove(one, to).code, 0);
    }
  }),
);

live('with one id the owners are recorded in an attribute', ['userns', 'python'], () =>
  unpacked(
    one,
    [owned('f', { mode: 0o640 }), owned('d/', { type: '5', data: '' }), owned('.wh.gone')],
    (to) => {
      const script = `import os\nfor n in ('f', 'd'): print(os.getxattr('${to}/' + n, 'user.containers.override_stat').decode())`;
      assert.is(inside(one, 'python3', '-c', script), '7:8:0640:file\n7:8:0755:dir\n');
      assert.ok(statSync(join(to, 'gone')).isCharacterDevice());
      assert.is(statSync(join(to, 'f')).uid, uid);
    },
    '--single-id',
  ),
);

live('a full disk is reported with its errno and the file', ['userns'], () =>
  withTmp((folder) => {
    const layer = join(folder, 'layer.tar');
    writeFileSync(
      layer,
      tarBytes([
        { name: 'small', data: 'x' },
        { name: 'large', data: Buffer.alloc(4 << 20, 'x') },
      ]),
    );
    const nested = JSON.stringify({ uid: [extent(0, 0, 1)], gid: [extent(0, 0, 1)] });
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    const script = `mount -t tmpfs -o size=1m disk "$1" && "$2" unpack --to "$1/to" --idmap "$3" "$4"; echo "$?"; ls "$1/to"; "$2" remove --idmap "$3" "$1/to"; ls "$1"`;
    const output = call(['unshare', '--idmap', JSON.stringify(one), '--', 'sh', '-c', script, 'sh', disk, helper, nested, layer]);
    assert.match(output.stderr, /rootless-helper: error: unpack "large": ENOSPC/);
    assert.is(output.stdout, '125\nlarge\nsmall\n');
  }),
);

live('memory stays under 64 MiB, whatever the layer', ['userns'], () =>
  withTmp((folder) => {
    const layer = join(folder, 'layer.gz');
    const entries = Array.from({ length: 3000 }, (_, at) => ({ name: `${at}/${'n'.repeat(90)}`, type: '5' }));
    writeFileSync(layer, gzipSync(tarBytes([...entries, { name: 'large', data: Buffer.alloc(150 << 20) }]), { level: 1 }));
    const to = join(folder, 'to');
    const script = 'ulimit -d 65536; exec "$@"';
    const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', helper, 'unpack', '--to', to, '--idmap', JSON.stringify(one), layer], {
      encoding: 'utf8',
    });
    assert.is(status, 0, stderr);
    assert.is(statSync(join(to, 'large')).size, 150 << 20);
    assert.is(remove(one, to).code, 0);
  }),
);

live('a target that has something in it is refused and left alone', ['userns'], () =>
  withTmp((folder) => {
    writeFileSync(join(folder, 'mine'), 'mine');
    const { code, stderr } = unpack(folder, one, tarBytes([{ name: 'mine', data: 'theirs' }]));
    assert.is(code, 125);
    assert.match(stderr, /ENOTEMPTY/);
    assert.is(readFileSync(join(folder, 'mine'), 'utf8'), 'mine');
  }),
);

live('a layer that is not what its diffID says is refused', ['userns'], () =>
  withTmp((folder) => {
    const to = join(folder, 'to');
    const wrong = `sha256:${'0'.repeat(64)}`;
    const { code, stderr } = unpack(to, one, gzipSync(tarBytes([{ name: 'f', data: 'x' }])), '--diff-id', wrong);
    assert.is(code, 125);
    assert.match(stderr, /diffID/);
    assert.is(remove(one, to).code, 0);
  }),
);

live('a layer that stops in the middle is refused', ['userns'], () =>
  withTmp((folder) => {
    const to = join(folder, 'to');
    const whole = gzipSync(tarBytes([{ name: 'f', data: 'x'.repeat(100_000) }]));
    const { code, stderr } = unpack(to, one, whole.subarray(0, whole.length / 2));
    assert.is(code, 125);
    assert.match(stderr, /^rootless-helper: error: unpack.*cannot read the layer/);
    assert.is(remove(one, to).code, 0);
  }),
);

live.run();

/** Id 0 is ourselves, the rest is the first subordinate range; undefined where this user has none. */
function fullMap(): IdMap | undefined {
  if (uid === 0) return { uid: [extent(0, 0, 65536)], gid: [extent(0, 0, 65536)] };
  const first = (file: string) => {
    const line = readFileSync(file, 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${userInfo().username}:`));
    const [, start, size] = line?.split(':').map(Number) ?? [];
    return start && size ? extent(1, start, size) : undefined;
  };
  const [users, groups] = [first('/etc/subuid'), first('/etc/subgid')];
  if (mode === 'single' || !users || !groups) return undefined;
  return { uid: [extent(0, uid, 1), users], gid: [extent(0, gid, 1), groups], newuidmap: 'newuidmap', newgidmap: 'newgidmap' };
}
