/** What scripts of packages do: users, owners, set-id bits, devices, other users' programs. One id gives the same as a range, up to the registry. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { dockerArchive } from '../support/archive.ts';
import { mode, uid } from '../support/checkout.ts';
import { rootless } from '../support/cli.ts';
import { shell } from '../support/container.ts';
import { servicePackage } from '../support/deb.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { done } from '../support/pushed.ts';
import { withRegistry } from '../support/registry.ts';
import { tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const ranges = readFileSync('/etc/subuid', 'utf8')
  .split('\n')
  .some((line) => line.startsWith(`${userInfo().username}:`));
const single = mode === 'single' || (mode === 'self' && uid !== 0 && !ranges);

/** What `addgroup -S web; adduser -S -G web web` do, which the busybox of Debian has not. */
const joiner = ['set -e', 'echo web:x:101: >> /etc/group', 'echo web:x:100:101:web:/var/lib/web:/bin/sh >> /etc/passwd'];

live("busybox's chown, chmod, tar and their like leave what Alpine's packages want, and export tells it", needs, () =>
  withTmp(async (folder) => {
    const script = [
      ...joiner,
      'mkdir -p /var/lib/web /opt/x',
      'chown -R web:web /var/lib/web',
      'chmod 2750 /var/lib/web',
      'echo key > /var/lib/web/key; chown web:web /var/lib/web/key; chmod 600 /var/lib/web/key',
      'cp /bin/busybox /opt/x/suid; chmod 4755 /opt/x/suid',
      'cp /bin/busybox /opt/x/lost; chmod 6755 /opt/x/lost; chown 0:web /opt/x/lost',
      'cp /bin/busybox /opt/x/lock; chmod 2640 /opt/x/lock; busybox chgrp web /opt/x/lock',
      'cd /opt/x; busybox tar --numeric-owner -xf /packed.tar',
      'busybox mkfifo /opt/x/pipe; chmod 640 /opt/x/pipe',
      'touch /tmp/a; chown 33:44 /tmp/a',
    ];
    writeFileSync(join(folder, 'packed.tar'), tarBytes([{ name: 'installed', uid: 100, gid: 12, mode: 0o4711, data: 'x' }]));
    const packed = ['-v', `${folder}/packed.tar:/packed.tar:ro`];
    await done(['run', '--name', 'alp', '--network', 'none', ...packed, busyboxImage(), 'sh', '-c', script.join('\n')]);
    const tar = join(folder, 'alp.tar');
    await done(['export', '-o', tar, 'alp']);
    await done(['rm', 'alp']);
    const wanted = [
      'drwxr-s--- 100/101 var/lib/web/',
      '-rw------- 100/101 var/lib/web/key',
      '-rwsr-xr-x 0/0 opt/x/suid',
      '-rwxr-xr-x 0/101 opt/x/lost',
      '-rw-r-S--- 0/101 opt/x/lock',
      '-rws--x--x 100/12 opt/x/installed',
      'prw-r----- 0/0 opt/x/pipe',
      '-rw-r--r-- 33/44 tmp/a',
    ];
    assert.equal(listed(tar, wanted.map(path)), wanted.sort());
  }),
);

live('who becomes another is that other afterwards, and its children are, and there is no way back', needs, async () => {
  const script = [
    ...joiner,
    'busybox su web -c "id -u; id -G; sh -c \'id -u; id -g\'"',
    'busybox start-stop-daemon -S -p /none -c web:12 -x /bin/id',
    'id -u',
    'busybox su web -c "busybox su -c id" 2>&1 || echo refused',
    'busybox su web -c "(sleep 0.2; id -u) & wait"',
  ];
  const text = await shell(['--entrypoint', ''], script.join('\n'));
  assert.match(text, /^100\n101\n100\n101\nuid=100\(web\) gid=12\S*( groups=\S+)?\n0\n[^\n]*(suid|root)[^\n]*\nrefused\n100$/);
});

live('an entry point that goes on as another user does so once', needs, async () => {
  const entry = 'if [ "$(id -u)" = 0 ]; then exec busybox start-stop-daemon -S -c ana -x /bin/sh -- -c "$0" "$0"; fi; echo as $(id -u)';
  assert.is(await shell([], `E='${entry}'; sh -c "$E" "$E"`), 'as 1000');
});

live("setuid and its like keep the kernel's rules, one thread or several", ['userns', 'python'], async () => {
  const calls = [
    'show()',
    'os.setresuid(-1, 7, -1); show()',
    'fails(os.setuid, 8)',
    'os.seteuid(0); show()',
    'os.setgroups([3, 4, 5]); print(os.getgroups())',
    'os.setregid(9, 10); show()',
    'os.setresgid(11, 12, 13); show()',
    'fails(os.setgroups, [2 ** 32]); fails(os.setuid, 2 ** 32)',
    'threading.Thread(target=lambda: os.setreuid(21, 21)).start(); join(); show()',
    'fails(os.setuid, 0); fails(os.setgroups, [1]); fails(os.setresgid, 1, 1, 1)',
    'os.setgid(13); show()',
    'os.fork() or (show(), os._exit(0)); os.wait()',
    'os.execvp("id", ["id", "-u"])',
  ];
  const program = [
    'import os, threading',
    'def show(): print(os.getresuid(), os.getresgid(), flush=True)',
    'def join(): [t.join() for t in threading.enumerate() if t is not threading.current_thread()]',
    'def fails(call, *args):',
    '    try: call(*args); print("went through")',
    '    except (OSError, OverflowError): print("no")',
    ...calls,
  ];
  const { code, stdout, stderr } = await rootless([
    'run',
    '--rm',
    '--network',
    'none',
    '-v',
    '/usr:/usr:ro',
    ...['/lib', '/lib64', '/bin'].flatMap((name) => ['-v', `/usr${name}:${name}:ro`]),
    busyboxImage(),
    '/usr/bin/python3',
    '-c',
    program.join('\n'),
  ]);
  assert.is(code, 0, stderr);
  assert.equal(stdout.trim().split('\n'), [
    '(0, 0, 0) (0, 0, 0)',
    '(0, 7, 0) (0, 0, 0)',
    'no',
    '(0, 0, 0) (0, 0, 0)',
    '[3, 4, 5]',
    '(0, 0, 0) (9, 10, 10)',
    '(0, 0, 0) (11, 12, 13)',
    'no',
    'no',
    '(21, 21, 21) (11, 12, 13)',
    'no',
    'no',
    'no',
    '(21, 21, 21) (11, 13, 13)',
    '(21, 21, 21) (11, 13, 13)',
    '21',
  ]);
});

if (single) {
  live('with one id a device is a file that stands for it, and export tells the device', needs, () =>
    withTmp(async (folder) => {
      const script = [
        'mkdir /d; cd /d; umask 027',
        'mknod null c 1 3; mknod -m 606 disk b 259 1048575; chown 5:6 disk',
        'mknod null c 1 3 2>&1; mknod /nowhere/x c 1 3 2>&1; stat -c "%n %F %a" null disk',
      ];
      const { stdout } = await done(['run', '--name', 'dev', '--network', 'none', busyboxImage(), 'sh', '-c', script.join('\n')]);
      assert.match(stdout, /null: File exists\n.*No such file or directory\nnull regular empty file 640\ndisk regular empty file 606\n$/);
      const tar = join(folder, 'dev.tar');
      await done(['export', '-o', tar, 'dev']);
      await done(['rm', 'dev']);
      const { stdout: told } = spawnSync('tar', ['--numeric-owner', '-tvf', tar], { encoding: 'utf8' });
      assert.match(told, /^crw-r----- 0\/0 +1,3 .* d\/null$/m);
      assert.match(told, /^brw----rw- 5\/6 +259,1048575 .* d\/disk$/m);
    }),
  );

  live('with one id the limit that ids are noted in cannot be set, and is not in the way of others', needs, async () => {
    const script = 'id -u; ulimit -n 100 && ulimit -n; busybox su ana -c "ulimit -n 50; id -u"';
    assert.is(await shell([], script), '0\n100\n1000');
  });
}

live(
  'a Debian package with users, set-id programs and a daemon is equal after commit, push, and pull',
  ['userns', 'debian', 'registry'],
  () =>
    withTmp(async (folder) => {
      const deb = servicePackage(folder);
      const image = `docker-archive:${await dockerArchive(join(folder, 'debian-image.tar'), process.env['ROOTLESS_TEST_DEBIAN'] ?? '')}`;
      const script = 'apt-get install -y /service.deb >/log 2>&1 || { cat /log; exit 1; }; cat /var/log/who';
      const flags = ['--name', 'deb', '--network', 'none', '-v', `${deb}:/service.deb:ro`];
      const { stdout } = await done(['run', ...flags, image, 'sh', '-c', script]);
      assert.match(stdout, /^su (\d{3})\nsetpriv \1 (\d{3})\nrunuser \1\nssd \1\nperl \1 \2 no$/m);
      await withRegistry({}, async ({ host }) => {
        const name = `${host}/service:1`;
        await done(['commit', '-q', 'deb', name]);
        await done(['rm', 'deb']);
        await done(['push', '-q', name]);
        await done(['rmi', name]);
        await done(['create', '--name', 'again', '--network', 'none', name, 'true']);
        const tar = join(folder, 'again.tar');
        await done(['export', '-o', tar, 'again']);
        await done(['rm', 'again']);
        await done(['rmi', name]);
        const [, number, group] = /^setpriv (\d+) (\d+)$/m.exec(stdout) ?? [];
        const wanted = [
          `-rw------- ${number}/${group} var/lib/service/key`,
          `drwxr-s--x ${number}/4 var/lib/service/shared/`,
          '-rwsr-xr-- 0/8 usr/lib/service/helper',
          '-rwxr-sr-x 0/5 usr/lib/service/write',
          `-rw-r----- 0/${group} etc/service/secret`,
          'drwxrwxrwt 0/0 var/spool/service/',
        ];
        assert.equal(listed(tar, wanted.map(path)), wanted.sort());
      });
    }),
  { seconds: 400 },
);

live.run();

function path(line: string): string {
  return line.split(' ')[2] ?? '';
}

/** `MODE UID/GID PATH` of these paths in a tar. */
function listed(tar: string, paths: readonly string[]): string[] {
  const { stdout } = spawnSync('tar', ['--numeric-owner', '-tvf', tar], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const found = stdout.split('\n').map((line) => line.split(/ +/));
  const lines = found.map(([bits, owner, , , , name = '']) => [bits, owner, name.replace(/^\.\//, '')]);
  return lines
    .filter(([, , name = '']) => paths.includes(name))
    .map((line) => line.join(' '))
    .sort();
}
