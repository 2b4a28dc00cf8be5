/** Folders and files of the host inside a container: what is shared, what is read-only, and what is refused. */

import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { gid, uid } from '../support/checkout.ts';
import { run, shell } from '../support/container.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

live('-v shares a folder both ways, and files made inside belong to the caller', needs, () =>
  withTmp(async (folder) => {
    writeFileSync(join(folder, 'in'), 'from outside');
    assert.is(await shell(['-v', `${folder}:/shared`], 'cat /shared/in; echo inside > /shared/out'), 'from outside');
    assert.is(readFileSync(join(folder, 'out'), 'utf8'), 'inside\n');
    const stat = statSync(join(folder, 'out'));
    assert.equal([stat.uid, stat.gid], [uid, gid]);
  }),
);

for (const flags of [
  (folder: string) => ['-v', `${folder}:/shared:ro`],
  (folder: string) => ['--mount', `type=bind,src=${folder},dst=/shared,readonly`],
  (folder: string) => ['--mount', `type=bind,source=${folder},target=/shared,ro=true`],
]) {
  live(`${flags('DIR').join(' ')} cannot be written`, needs, () =>
    withTmp(async (folder) => {
      mkdirSync(join(folder, 'sub'));
      const script = 'echo x > /shared/f; echo x > /shared/sub/f; mount -o remount,rw /shared; echo x > /shared/f; ls /shared';
      assert.is((await run(flags(folder), ['sh', '-c', script])).stdout, 'sub\n');
      assert.not.ok(existsSync(join(folder, 'f')));
    }),
  );
}

live('z and Z are accepted, and options combine', needs, () =>
  withTmp(async (folder) => {
    for (const option of ['z', 'Z', 'rw', 'ro,z', 'rw,Z']) assert.is(await shell(['-v', `${folder}:/shared:${option}`], 'echo ok'), 'ok');
  }),
);

live('a single file can be shared', needs, () =>
  withTmp(async (folder) => {
    const file = join(folder, 'file');
    writeFileSync(file, 'one\n');
    assert.is(await shell(['-v', `${file}:/etc/passwd`], 'cat /etc/passwd; echo two > /etc/passwd'), 'one');
    assert.is(readFileSync(file, 'utf8'), 'two\n');
  }),
);

live('-v makes a source folder that is missing, --mount refuses it', needs, () =>
  withTmp(async (folder) => {
    const missing = join(folder, 'made');
    const { code, stderr } = await run(['--mount', `type=bind,src=${missing},dst=/shared`], ['true']);
    assert.is(code, 125);
    assert.match(stderr, /made/);
    assert.not.ok(existsSync(missing));
    assert.is(await shell(['-v', `${missing}:/shared`], 'ls /shared | wc -l'), '0');
    assert.ok(statSync(missing).isDirectory());
  }),
);

for (const value of ['relative/path:/shared', ':/shared', '/a:relative', '/a:/b:nosuchoption', '/a:/b:ro:extra', '']) {
  live(`-v ${JSON.stringify(value)} is refused with 125`, needs, async () => {
    const { code, stdout, stderr } = await run(['-v', value], ['echo', 'ran']);
    assert.is(code, 125);
    assert.is(stdout, '');
    assert.match(stderr, /^rootless: /m);
  });
}

live('a source that begins with a dot is relative to the current folder, as docker has it', needs, () =>
  withTmp(async (folder) => {
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'f'), 'found');
    assert.is(await shell(['-v', './f:/f'], 'cat /f', { cwd: folder }), 'found');
    assert.is(await shell(['-v', '../f:/f'], 'cat /f', { cwd: join(folder, 'sub') }), 'found');
    assert.is(await shell(['-v', '.:/here'], 'ls /here', { cwd: folder }), 'f\nsub');
  }),
);

live('a mount point that is missing in the image is made, in any depth', needs, () =>
  withTmp(async (folder) => {
    assert.is(await shell(['-v', `${folder}:/very/deep/new/place`], 'ls -d /very/deep/new/place'), '/very/deep/new/place');
  }),
);

live('a mount point that is a symlink out of the image stays inside it', needs, () =>
  withTmp(async (folder) => {
    const name = `escape-${process.pid}`;
    const script = 'grep -c " /target" /proc/self/mountinfo';
    mkdirSync(join(folder, 'data'));
    symlinkSync('/etc', join(folder, 'data/link'));
    assert.is(
      await shell(['-v', `${join(folder, 'data')}:/target`, '-v', `${folder}:/target/link/${name}`], `${script}; ls /etc/${name}`),
      '1\ndata',
    );
    assert.not.ok(existsSync(join('/etc', name)));
  }),
);

live('--tmpfs is empty, writable, and takes size and mode', needs, async () => {
  assert.is(
    await shell(['--tmpfs', '/t:size=1m,mode=700'], 'stat -c %a /t; dd if=/dev/zero of=/t/f bs=1k count=2000 2>/dev/null || echo full'),
    '700\nfull',
  );
  assert.is(await shell(['--mount', 'type=tmpfs,dst=/t,tmpfs-size=64k'], "df -k /t | tail -1 | awk '{print $2}'"), '64');
});

live('--shm-size sets the size of /dev/shm', needs, async () => {
  assert.is(await shell(['--shm-size', '2m'], "df -k /dev/shm | tail -1 | awk '{print $2}'"), '2048');
});

live('host paths with spaces, colons in --mount, and non-ASCII names work', needs, () =>
  withTmp(async (folder) => {
    const odd = join(folder, 'with space, größe');
    mkdirSync(odd);
    writeFileSync(join(odd, 'f'), 'found');
    assert.is(await shell(['-v', `${odd}:/odd place`], 'cat "/odd place/f"'), 'found');
  }),
);

live('a later mount may lie below an earlier one, whatever their order', needs, () =>
  withTmp(async (folder) => {
    for (const name of ['a', 'b']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'f'), name);
    }
    mkdirSync(join(folder, 'a/sub'));
    const flags = ['-v', `${folder}/b:/x/sub`, '-v', `${folder}/a:/x`];
    assert.is(await shell(flags, 'cat /x/f /x/sub/f'), 'ab');
  }),
);

live('a device of the host is given by --device', needs, async () => {
  assert.is(await shell(['--device', '/dev/zero:/dev/nothing'], 'head -c3 /dev/nothing | wc -c'), '3');
  const { code, stderr } = await run(['--device', '/dev/no-such-device'], ['true']);
  assert.is(code, 125);
  assert.match(stderr, /no-such-device/);
});

live.run();
