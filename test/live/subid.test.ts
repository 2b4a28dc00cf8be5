/** Tables of subordinate ids as administrators write them: each in a private /etc, with newuidmap reading the same files. Needs root, to be another user. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { checkout, uid } from '../support/checkout.ts';
import { rootless } from '../support/cli.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const id = 424_242;
/** With a dot, a hyphen and capital letters, as directories of companies have them. */
const name = 'Ana.Mc-Roe';

type Tables = {
  readonly subuid?: string;
  readonly subgid?: string;
  readonly nsswitch?: string;
  /** Commands of root's in the private /etc, before it becomes the user. */
  readonly before?: string;
  /** The user is in a user namespace that has so many ids, of root's from 0. */
  readonly outer?: number;
};
type Said = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

const user =
  `setpriv --reuid ${id} --regid ${id} --clear-groups env -i HOME=/mnt/home USER="${name}" XDG_RUNTIME_DIR=/mnt/run ` +
  'PATH=/mnt/node:/usr/bin:/bin:/usr/sbin:/sbin /mnt/product/bin/rootless';

/** Its map is written from outside, since nothing inside may. */
function inNamespace(count: number): string[] {
  return [
    'mkfifo /mnt/made /mnt/mapped',
    `unshare -U sh -c 'echo > /mnt/made; read go < /mnt/mapped; exec ${user} "$@"' sh "$@" & child=$!`,
    'read there < /mnt/made',
    `for kind in uid gid; do echo "0 0 ${count}" > /proc/$child/\${kind}_map; done`,
    'echo go > /mnt/mapped; wait $child',
  ];
}

/** Runs `rootless ARGS` as a user with these tables. */
function asUser(tables: Tables, args: readonly string[]): Promise<Said> {
  let said: Said = { code: null, stdout: '', stderr: '' };
  return withTmp((folder) => {
    const both = tables.subuid ?? '';
    const files: Readonly<Record<string, string>> = {
      passwd: `root:x:0:0:root:/root:/bin/sh\n${name}:x:${id}:${id}::/mnt/home:/bin/sh\n`,
      group: `root:x:0:\n${name}:x:${id}:\n`,
      subuid: both,
      subgid: tables.subgid ?? both,
      'nsswitch.conf': tables.nsswitch ?? 'passwd: files\ngroup: files\n',
    };
    mkdirSync(join(folder, 'etc'));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, 'etc', file), text);
    const script = [
      'set -e',
      'mount -t tmpfs -o mode=755 private /mnt',
      'mkdir /mnt/product /mnt/node /mnt/image /mnt/home',
      `mount --bind "${checkout}" /mnt/product`,
      `mount --bind "${dirname(process.execPath)}" /mnt/node`,
      `mount --bind "${busyboxImage().slice('oci:'.length)}" /mnt/image`,
      ...Object.keys(files).map((file) => `[ -e /etc/${file} ] || : > /etc/${file}; mount --bind "${folder}/etc/${file}" /etc/${file}`),
      `mkdir -m 700 /mnt/run; chown ${id}:${id} /mnt/home /mnt/run`,
      tables.before ?? ':',
      ...(tables.outer === undefined ? [`exec ${user} "$@"`] : inNamespace(tables.outer)),
    ];
    const argv = ['-m', '--propagation', 'private', 'sh', '-c', script.join('\n'), 'sh', ...args];
    const { status, stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
    said = { code: status, stdout, stderr };
  }).then(() => said);
}

const look = "awk '{print $1, $2, $3}' /proc/self/uid_map; echo; awk '{print $1, $2, $3}' /proc/self/gid_map";

/** The lines of both maps of a container. */
async function maps(tables: Tables, flags: readonly string[] = []): Promise<string[][]> {
  const { code, stdout, stderr } = await asUser(tables, ['run', '--rm', '--network', 'none', ...flags, 'oci:/mnt/image', 'sh', '-c', look]);
  assert.is(code, 0, stderr);
  return stdout
    .trim()
    .split('\n\n')
    .map((text) => text.split('\n'));
}

const own = `0 ${id} 1`;
const twice = (...lines: string[]) => [
  [own, ...lines],
  [own, ...lines],
];

type Good = readonly [what: string, tables: Tables, maps: readonly (readonly string[])[]];
const good: readonly Good[] = [
  ['a name with dots and capital letters', { subuid: `${name}:700000:65536\n` }, twice('1 700000 65536')],
  ['a number instead of a name', { subuid: `${id}:700000:65536\n` }, twice('1 700000 65536')],
  [
    'several ranges, by name and by number, in their order',
    { subuid: `${name}:900000:1000\nother:1:2\n${id}:700000:65536\n` },
    twice('1 900000 1000', '1001 700000 65536'),
  ],
  [
    'comments, empty lines and junk beside it',
    { subuid: `# ranges\n\n:::\nana\n${name}:x:5\n${name}:5\n\t\n${name}:700000:65536\nlast:100000:65536` },
    twice('1 700000 65536'),
  ],
  ['ranges that overlap, each id once', { subuid: `${name}:700000:1000\n${name}:700500:1000\n` }, twice('1 700000 1499', '65534 701499 1')],
  [
    'fewer groups than users',
    { subuid: `${name}:700000:65536\n`, subgid: `${name}:800000:500\n` },
    [
      [own, '1 700000 65536'],
      [own, '1 800000 499', '65534 800499 1'],
    ],
  ],
  // `nobody` is in nearly every image, and comes before the low ids.
  ['a range of one', { subuid: `${name}:700000:1\n` }, twice('65534 700000 1')],
  [
    'nsswitch.conf that names the files',
    { subuid: `${name}:700000:65536\n`, nsswitch: 'passwd: files\nsubid: files\n' },
    twice('1 700000 65536'),
  ],
  [
    'nsswitch.conf without getsubids to ask',
    {
      subuid: `${name}:700000:65536\n`,
      nsswitch: 'passwd: files\nsubid:\tfiles # not sss\n',
      before: 'p=$(command -v getsubids) && : > /mnt/empty && mount --bind /mnt/empty $p',
    },
    twice('1 700000 65536'),
  ],
];

if (uid === 0) {
  for (const [what, tables, wanted] of good) {
    live(`a table with ${what}`, needs, async () => assert.equal(await maps(tables), wanted));
  }

  live('no line of the user: one id, and the file is named', needs, async () => {
    for (const [tables, file] of [
      [{ subuid: 'other:700000:65536\n' }, 'subuid'],
      [{ subuid: `${name}:700000:65536\n`, subgid: '' }, 'subgid'],
    ] as const) {
      const { code, stdout, stderr } = await asUser(tables, ['run', '--rm', '--network', 'none', 'oci:/mnt/image', 'id', '-u']);
      assert.is(code, 0, stderr);
      assert.is(stdout, '0\n');
      assert.is(stderr, `rootless: one user id only: no range for "${name}" in /etc/${file}\n`);
    }
  });

  live(
    'what needs ids that are not there is refused: of a range too small, and of one that is only in the table of users',
    needs,
    async () => {
      const small = { subuid: `${name}:700000:20\n` };
      const run = ['--debug', 'run', '--rm', '--network', 'none'];
      const auto = await asUser(small, [...run, '--userns', 'auto:size=30', 'oci:/mnt/image', 'true']);
      assert.is(auto.code, 125);
      assert.match(auto.stderr, /your ranges hold 20 ids[\s\S]*USERNS_FULL/);
      const keep = await asUser({ subuid: `${name}:700000:20\n`, subgid: '' }, [...run, '--userns', 'keep-id', 'oci:/mnt/image', 'true']);
      assert.is(keep.code, 125);
      assert.match(keep.stderr, new RegExp(`--userns keep-id: no range for "${name}" in /etc/subgid[\\s\\S]*SUBID_MISSING`));
      const high = await asUser(small, ['run', '--rm', '--network', 'none', '-u', '65534:65534', 'oci:/mnt/image', 'id', '-u']);
      assert.is(high.stdout, '65534\n', high.stderr);
    },
  );

  live('inside another namespace only ids that exist there are mapped, and none at all is said', needs, async () => {
    const subuid = `${name}:700000:65536\n`;
    assert.equal(await maps({ subuid, outer: 710_000 }), twice('1 700000 9999', '65534 709999 1'));
    const none = await asUser({ subuid, outer: 600_000 }, ['run', '--rm', '--network', 'none', 'oci:/mnt/image', 'true']);
    assert.is(none.code, 0, none.stderr);
    assert.match(none.stderr, new RegExp(`one user id only: the ranges of "${name}" in /etc/subuid do not exist in this user namespace`));
  });

  live('doctor: ids that somebody else has too, a range that is small, and none', needs, async () => {
    const doctor = async (tables: Tables, check: string) => {
      const { stdout, stderr } = await asUser(tables, ['doctor', '--json', check]);
      assert.match(stdout, /^\[/, stderr);
      return JSON.parse(stdout)[0] as { status: string; message: string; fix?: string[] };
    };
    const shared = await doctor({ subuid: `${name}:700000:65536\nbob:765535:65536\n` }, 'subid-overlap');
    assert.is(shared.status, 'bad');
    assert.is(shared.message, '"bob" has ids of yours too');
    assert.match(shared.fix?.join() ?? '', /--del-subuids 700000-765535 --add-subuids 100000-165535/);
    const groups = await doctor({ subuid: `${name}:700000:65536\n`, subgid: `${name}:1:9\nbob:9:1\n` }, 'subid-overlap');
    assert.match(groups.fix?.join() ?? '', /--del-subgids 1-9/);
    const small = await doctor({ subuid: `${name}:700000:1000\n` }, 'subid');
    assert.is(small.status, 'warn');
    assert.match(small.message, /only 1000 user and 1000 group ids/);
    const none = await doctor({ subuid: '' }, 'subid');
    assert.match(none.fix?.join() ?? '', new RegExp(`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}`));
  });

  live('ranges that changed: what has the old ids is refused, and says how to bring it along', needs, async () => {
    const before = [
      `${user} create --name old --network none oci:/mnt/image true >/mnt/out 2>&1 || { cat /mnt/out >&2; exit 1; }`,
      `echo '${name}:800000:65536' > /etc/subuid; echo '${name}:800000:65536' > /etc/subgid`,
    ].join('\n');
    const { code, stderr } = await asUser({ subuid: `${name}:700000:65536\n`, before }, ['--debug', 'start', '-a', 'old']);
    assert.is(code, 125, stderr);
    assert.match(stderr, /700000-765535[\s\S]*system migrate --leave 700000-765535[\s\S]*SUBID_CHANGED/);
  });
} else {
  live('a name that no table has is refused', needs, async () => {
    const { code, stderr } = await rootless(['--debug', 'run', '--rm', '--subuidname', name, 'embedded:hello']);
    assert.is(code, 125);
    assert.match(stderr, /SUBID_MISSING/);
  });
}

live.run();
