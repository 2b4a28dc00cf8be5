/** Ids, three ways: a range from newuidmap, written directly by root, or one id with ownership that is only recorded. */

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { gid, mode, uid } from '../support/checkout.ts';
import { dockerArchive } from '../support/archive.ts';
import { rootless } from '../support/cli.ts';
import { run, runArgs, shell } from '../support/container.ts';
import { lodgerPackage } from '../support/deb.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { done } from '../support/pushed.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const ranges = readFileSync('/etc/subuid', 'utf8')
  .split('\n')
  .some((line) => line.startsWith(`${userInfo().username}:`));
const single = mode === 'single' || (mode === 'self' && uid !== 0 && !ranges);

live('root inside is the caller outside, or a subordinate of root', needs, async () => {
  const [inside, outside] = (await shell([], 'cat /proc/self/uid_map')).trim().split(/\s+/);
  assert.is(inside, '0');
  if (uid !== 0) assert.is(Number(outside), uid);
  assert.match(await shell([], 'id'), /^uid=0\(root\) gid=0\(root\)/);
});

if (single) {
  live('with one id a notice of one line says so', needs, async () => {
    const { stderr, code } = await run([], ['true']);
    assert.is(code, 0);
    assert.is(stderr.split('\n').filter((line) => line.startsWith('rootless: ')).length, 1);
    assert.is((await shell([], "awk '{print $3}' /proc/self/uid_map")).trim(), '1');
  });

  live('with one id, chown-like calls succeed', needs, async () => {
    const script = 'touch f && chown 1000:29 f && chown -h 7 f && mkdir d && chown -R ana d && chgrp audio d && echo done';
    assert.is(await shell(['-w', '/tmp'], script), 'done');
  });

  live('with one id, an owner is recorded with the file, where other engines look for it', needs, () =>
    withTmp(async (folder) => {
      await shell(['-v', `${folder}:/shared`], 'touch /shared/f && chown 1000:29 /shared/f');
      const script = 'import os,sys; print(os.getxattr(sys.argv[1], "user.containers.override_stat").decode())';
      const { stdout } = spawnSync('python3', ['-c', script, join(folder, 'f')], { encoding: 'utf8' });
      assert.match(stdout, /^1000:29:/);
    }),
  );
  live('with one id, the recorded owners come out of export, and of a commit and its export', needs, () =>
    withTmp(async (folder) => {
      const script = 'touch /f && mkdir /d && chown 1000:29 /f && chown 7:2000000 /d && chmod 2751 /d';
      const owners = (tar: string) => {
        const { stdout } = spawnSync('tar', ['--numeric-owner', '-tvf', tar, './f', './d', 'f', 'd/'], { encoding: 'utf8' });
        return stdout.match(/^\S+ \d+\/\d+/gm)?.sort();
      };
      const wanted = ['-rw-r--r-- 1000/29', 'drwxr-s--x 7/2000000'];
      await done(['run', '--name', 'lone', '--network', 'none', busyboxImage(), 'sh', '-c', script]);
      await done(['export', '-o', join(folder, 'first.tar'), 'lone']);
      assert.equal(owners(join(folder, 'first.tar')), wanted);
      await done(['commit', 'lone', 'lone:2']);
      await done(['create', '--name', 'again', '--network', 'none', 'lone:2', 'true']);
      await done(['export', '-o', join(folder, 'second.tar'), 'again']);
      assert.equal(owners(join(folder, 'second.tar')), wanted);
      await done(['rm', 'lone', 'again']);
    }),
  );
} else {
  live('a full range is mapped', needs, async () => {
    const counts = (await shell([], "awk '{n+=$3} END {print n}' /proc/self/uid_map")).trim();
    assert.ok(Number(counts) >= 65536, counts);
  });

  live('chown inside is real: another id outside, too', needs, () =>
    withTmp(async (folder) => {
      assert.is(await shell(['-v', `${folder}:/shared`], 'touch /shared/f && chown 33:44 /shared/f && stat -c %u:%g /shared/f'), '33:44');
      const stat = statSync(join(folder, 'f'));
      if (uid === 0) assert.is(stat.uid, 33, 'root maps every id to itself');
      else assert.not.ok(stat.uid === uid || stat.uid === 33, `${stat.uid}`);
    }),
  );

  live('setgroups and setuid work', needs, async () => {
    assert.match(await shell(['-u', '7:8', '--group-add', '9'], 'id'), /uid=7 gid=8 groups=(8,)?9/);
  });

  live('--userns keep-id is the caller inside too', needs, async () => {
    const script = 'id -u; id -g; touch /shared/f';
    await withTmp(async (folder) => {
      if (uid === 0) return;
      assert.is(await shell(['--userns', 'keep-id', '-v', `${folder}:/shared`], script), `${uid}\n${gid}`);
      assert.is(statSync(join(folder, 'f')).uid, uid);
    });
  });

  live('with keep-id a network of its own comes up also where files of the caller are the root', [...needs, 'pasta', 'tun'], async () => {
    if (uid === 0) return;
    const { code, stdout, stderr } = await rootless([
      'run',
      '--rm',
      '--userns',
      'keep-id',
      'host:',
      'sh',
      '-c',
      'id -u; ls /sys/class/net | wc -l',
    ]);
    assert.is(code, 0, stderr);
    assert.is(stdout, `${uid}\n2\n`);
  });

  live('--uidmap says line by line which ids there are, and groups follow', needs, async () => {
    if (uid === 0) return;
    const maps = "awk '{print $1, $2, $3}' /proc/self/uid_map; stat -c %u:%g /bin";
    const mapped = await shell(['--uidmap', '0:1:100', '--uidmap', '1000:0:1', '--uidmap', '65534:200'], `${maps}; id -u`);
    assert.match(mapped, new RegExp(`^0 \\d+ 100\\n1000 ${uid} 1\\n65534 \\d+ 1\\n0:0\\n0$`));
    assert.match(await shell(['--uidmap', `+33:@${uid}`], maps), new RegExp(`^33 ${uid} 1$`, 'm'));
    for (const [flags, code] of [
      [['--uidmap', '0:@7'], 'IDMAP_INVALID'],
      [['--uidmap', '5:1:10'], 'IDMAP_INVALID'],
      [['--uidmap', '0:1:10', '--userns', 'keep-id'], 'FLAGS_CONFLICT'],
      [['--subuidname', 'nobody-has-this-name'], 'SUBID_MISSING'],
    ] as const) {
      const { stderr } = await rootless(['--debug', ...runArgs(flags, ['true'])]);
      assert.match(stderr, new RegExp(`\\b${code}\\b`), flags.join(' '));
    }
  });

  live('--subuidname is the own range without the caller', needs, async () => {
    if (uid === 0) return;
    const outside = (await shell(['--subuidname', userInfo().username], "awk '{print $2}' /proc/self/uid_map")).split('\n').map(Number);
    assert.not.ok(outside.includes(uid), outside.join());
  });

  live(
    'without an id of the caller, a folder of its own is the root where it can be reached, else the closed one is named',
    needs,
    async () => {
      if (uid === 0) return;
      // The folder of the tests is closed itself.
      const folder = mkdtempSync('/tmp/rootless-tree-');
      try {
        const tree = join(folder, 'tree');
        mkdirSync(join(tree, 'bin'), { recursive: true });
        copyFileSync('/bin/busybox', join(tree, 'bin/busybox'));
        chmodSync(join(tree, 'bin/busybox'), 0o755);
        for (const userns of ['nomap', 'auto:size=10']) {
          const look = ['run', '--rm', '--network', 'none', '--userns', userns, `rootfs:${tree}`, '/bin/busybox', 'id', '-u'];
          chmodSync(folder, 0o711);
          assert.is((await done(look)).stdout, '0\n');
          chmodSync(folder, 0o700);
          const { code, stderr } = await rootless(look);
          assert.is(code, 125);
          assert.match(stderr, new RegExp(`why: "${folder}" is closed to others.*\\n {2}fix: chmod o\\+x ${folder}, or another --userns`));
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  live('with keep-id, a closed home that belongs to another group of the caller is named', needs, () =>
    withTmp(async (folder) => {
      const other = (process.getgroups?.() ?? []).find((group) => group !== gid);
      if (uid === 0 || other === undefined) return;
      chownSync(folder, uid, other);
      chmodSync(folder, 0o700);
      const env = { ROOTLESS_DATA: join(folder, 'data') };
      const { code, stderr } = await rootless(runArgs(['--userns', 'keep-id'], ['true']), { env });
      assert.is(code, 125);
      assert.match(stderr, /its root may not enter the store in/);
      assert.match(stderr, new RegExp(`why: "${folder}" is closed to others, .*\\n {2}fix: chmod o\\+x ${folder}, or another`));
      // As root inside is the caller then.
      assert.is((await run([], ['true'], { env })).code, 0);
    }),
  );

  live('--userns auto maps no id of the caller', needs, async () => {
    const outside = (await shell(['--userns', 'auto'], "awk '{print $2}' /proc/self/uid_map")).split('\n').map(Number);
    assert.not.ok(outside.includes(uid), outside.join());
  });
}

live('--group-add keep-groups leaves the groups of the caller', needs, async () => {
  const mine = (process.getgroups?.() ?? []).filter((group) => group !== gid);
  const shown = (text: string) =>
    text
      .trim()
      .split(' ')
      .filter((group) => group !== '0' && group !== String(gid));
  assert.is(
    shown(await shell(['--group-add', 'keep-groups'], "sed -n 's/^Groups:\t*//p' /proc/self/status")).filter(Boolean).length,
    mine.length,
  );
  const { stderr } = await run(['--group-add', 'keep-groups', '--group-add', '5'], ['true']);
  assert.match(stderr, /not allowed with any other --group-add/);
});

live(
  'a Debian package with a user of its own installs',
  ['userns', 'debian'],
  () =>
    withTmp(async (folder) => {
      const deb = lodgerPackage(folder);
      const script = 'dpkg -i /lodger.deb && stat -c "%U:%G %a" /var/lib/lodger/key && getent passwd lodger | cut -d: -f6';
      const image = `docker-archive:${await debianImage(folder)}`;
      const { code, stdout, stderr } = await rootless([
        'run',
        '--rm',
        '--network',
        'none',
        '-v',
        `${deb}:/lodger.deb:ro`,
        image,
        'sh',
        '-c',
        script,
      ]);
      assert.is(code, 0, stdout + stderr);
      assert.match(stdout, single ? /root:root 600\n\/var\/lib\/lodger\n$/ : /lodger:lodger 600\n\/var\/lib\/lodger\n$/);
    }),
  { seconds: 400 },
);

live(
  'apt-get works on a Debian image: it changes ids to fetch and unpack',
  ['userns', 'debian'],
  () =>
    withTmp(async (folder) => {
      const deb = lodgerPackage(folder);
      const image = `docker-archive:${await debianImage(folder)}`;
      const script = 'apt-get install -y /lodger.deb && dpkg -s lodger | grep Status';
      const { code, stdout, stderr } = await rootless([
        'run',
        '--rm',
        '--network',
        'none',
        '-v',
        `${deb}:/lodger.deb:ro`,
        image,
        'sh',
        '-c',
        script,
      ]);
      assert.is(code, 0, stdout + stderr);
      assert.match(stdout, /Status: install ok installed/);
    }),
  { seconds: 400 },
);

/** The runner's root filesystem as `docker save` would write it. */
function debianImage(folder: string): Promise<string> {
  return dockerArchive(join(folder, 'debian-image.tar'), process.env['ROOTLESS_TEST_DEBIAN'] ?? '');
}

live.run();
