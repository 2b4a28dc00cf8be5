/** Input that cannot work: each is refused with 125, a line that quotes the thing, and nothing printed on stdout or left behind. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { bin, uid } from '../support/checkout.ts';
import { data, environment, finished, type Options, rootless, start } from '../support/cli.ts';
import { busyboxImage, busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

async function refused(args: readonly string[], quotes: RegExp, options?: Options): Promise<void> {
  const { code, stdout, stderr } = await rootless(args, options);
  assert.is(code, 125, `${args.join(' ')}: ${stderr}`);
  assert.is(stdout, '');
  assert.match(stderr, /^rootless: [a-z"-]/m);
  assert.match(stderr, quotes);
  assert.not.match(stderr, /^\s+at .*:\d+:\d+\)?$/m, 'a stack is shown');
}

for (const [flags, quotes] of [
  [['--no-such-flag'], /--no-such-flag/],
  [['--nmae', 'x'], /--name/],
  [['-Q'], /-Q/],
  [['-e', ''], /-e/],
  [['--memory'], /--memory/],
  [['-m', 'lots'], /lots/],
  [['-m', '-1g'], /-1g/],
  [['--cpus', 'many'], /many/],
  [['--pids-limit', 'x'], /--pids-limit|"x"/],
  [['-p', '99999:1'], /99999/],
  [['-p', 'a:b'], /a:b/],
  [['-p', '80:80/sctp'], /sctp/],
  [['-p', '80-81:80-82'], /80-81/],
  [['-p', '1.2.3:80:80'], /1\.2\.3/],
  [['--network', 'nosuch'], /nosuch/],
  [['--cap-add', 'FLY'], /FLY/],
  [['--security-opt', 'nosuch=1'], /nosuch/],
  [['--security-opt', 'seccomp=/no/such/file'], /\/no\/such\/file/],
  [['--ulimit', 'nofile'], /nofile/],
  [['--ulimit', 'nofile=5:4'], /nofile/],
  [['--userns', 'nosuch'], /nosuch/],
  [['--env-file', '/no/such/env'], /\/no\/such\/env/],
  [['--add-host', 'nameonly'], /nameonly/],
  [['--mount', 'type=nosuch,dst=/x'], /nosuch/],
  [['--mount', 'type=bind,src=/etc'], /dst|target/],
  [['--stop-signal', 'SIGNOPE'], /SIGNOPE/],
  [['--platform', 'a/b/c/d'], /a\/b\/c\/d/],
  [['--pull', 'sometimes'], /sometimes/],
  [['--name', '-bad-'], /-bad-/],
  [['--name', 'a/../b'], /a\/\.\.\/b/],
  [['-w', 'relative'], /relative/],
  [['--shm-size', '-5'], /-5/],
] as const) {
  live(`run ${flags.join(' ')} is refused`, needs, () => refused(['run', '--rm', ...flags, busyboxImage(), 'true'], quotes));
}

for (const [args, quotes] of [
  [['run'], /IMAGE/i],
  [['run', 'UPPER/Case'], /UPPER\/Case/],
  [['run', ''], /image/i],
  [['run', 'name:'], /name:/],
  [['run', 'name@sha256:abc'], /sha256:abc/],
  [['run', 'oci:/no/such/layout'], /\/no\/such\/layout/],
  [['run', 'oci-archive:/no/such.tar'], /\/no\/such\.tar/],
  [['run', 'docker-archive:/no/such.tar'], /\/no\/such\.tar/],
  [['run', 'rootfs:/no/such/folder'], /\/no\/such\/folder/],
  [['run', 'embedded:nosuch'], /nosuch/],
  [['run', '--pull', 'never', 'localhost:1/x'], /localhost:1\/x/],
  [['run', 'localhost:1/x'], /localhost:1/],
  [['rum', 'x'], /run/],
  [['constructor'], /constructor/],
  [['__proto__'], /__proto__/],
] as const) {
  live(`${args.join(' ') || 'nothing'} is refused`, needs, () => refused([...args], quotes));
}

live('no state folder can be used by another user: an unsafe one is refused', needs, () =>
  withTmp(async (folder) => {
    mkdirSync(join(folder, 'rootless-shared'));
    chmodSync(join(folder, 'rootless-shared'), 0o777);
    const { code, stderr } = await rootless(['run', '--rm', '--network', 'none', busyboxImage(), 'true'], {
      env: { XDG_RUNTIME_DIR: undefined, TMPDIR: folder },
    });
    assert.is(code, 0, stderr);
    const made = readdirSync(folder).find((name) => name.startsWith('rootless-') && name !== 'rootless-shared');
    if (made === undefined) return;
    chmodSync(join(folder, made), 0o777);
    await refused(['run', '--rm', '--network', 'none', busyboxImage(), 'true'], /private/, {
      env: { XDG_RUNTIME_DIR: undefined, TMPDIR: folder },
    });
  }),
);

/** A layout whose files are then spoiled. */
const spoiled = (spoil: (layout: string, blobs: string) => void, quotes: RegExp) =>
  withTmp(async (folder) => {
    const rootfs = busyboxRootfs(join(folder, 'rootfs'));
    // A layer that is unpacked already would not be read again.
    writeFileSync(join(rootfs, 'unique'), randomBytes(64));
    const layout = ociLayout(join(folder, 'layout'), [tarOf(rootfs)], { Cmd: ['true'] });
    spoil(layout, join(layout, 'blobs/sha256'));
    await refused(['run', '--rm', '--network', 'none', `oci:${layout}`], quotes);
  });

/** Blobs by size: the layer is the largest. */
function bySize(blobs: string): string[] {
  return readdirSync(blobs)
    .map((name) => join(blobs, name))
    .sort((a, b) => statSync(b).size - statSync(a).size);
}

live('a layer with a flipped byte is refused by its digest', needs, () =>
  spoiled((_layout, blobs) => {
    const [layer = ''] = bySize(blobs);
    const bytes = readFileSync(layer);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(layer, bytes);
  }, /digest|sha256/),
);

live('a layer cut in half is refused', needs, () =>
  spoiled((_layout, blobs) => {
    const [layer = ''] = bySize(blobs);
    const bytes = readFileSync(layer);
    writeFileSync(layer, bytes.subarray(0, bytes.length >> 1));
  }, /size|digest|short|bytes/),
);

live('an index that is not JSON is refused', needs, () =>
  spoiled((layout) => writeFileSync(join(layout, 'index.json'), '{'), /index\.json|JSON/),
);

live('an index without manifests is refused', needs, () =>
  spoiled((layout) => writeFileSync(join(layout, 'index.json'), '{"schemaVersion":2,"manifests":[]}'), /manifest|image/),
);

live('an archive that is no archive is refused', needs, () =>
  withTmp(async (folder) => {
    const file = join(folder, 'x.tar');
    writeFileSync(file, 'this is not a tar'.repeat(100));
    await refused(['run', '--rm', `docker-archive:${file}`], /x\.tar/);
    await refused(['run', '--rm', `oci-archive:${file}`], /x\.tar/);
  }),
);

live('a fifo that nobody writes to is no archive, and keeps nobody from an interrupt', needs, () =>
  withTmp(async (folder) => {
    const fifo = join(folder, 'fifo');
    assert.is(spawnSync('mkfifo', [fifo]).status, 0);
    await refused(['run', '--rm', `docker-archive:${fifo}`], /not an archive/);
    const loading = start(['load', '-i', fifo]);
    const ended = finished(loading);
    await pause(1000);
    loading.kill('SIGINT');
    const { code, signal, stderr } = await ended;
    assert.ok(code === 130 || signal === 'SIGINT', `${code} ${signal} ${stderr}`);
  }),
);

live('a full disk while unpacking is refused, and no half layer stays', needs, () =>
  withTmp(async (folder) => {
    const rootfs = busyboxRootfs(join(folder, 'rootfs'));
    writeFileSync(join(rootfs, 'big'), randomBytes(8 << 20));
    const image = `oci:${ociLayout(join(folder, 'layout'), [tarOf(rootfs)], { Cmd: ['true'] })}`;
    const small = join(folder, 'small');
    mkdirSync(small);
    const script = 'mount -t tmpfs -o size=4m small "$0" && ROOTLESS_DATA="$0/data" "$@"; code=$?; find "$0" -name big; exit $code';
    const args = [uid === 0 ? '-m' : '-Urm', 'sh', '-c', script, small, bin, 'run', '--rm', '--network', 'none', image];
    const run = spawnSync('unshare', args, { env: environment, encoding: 'utf8' });
    assert.is(run.status, 125, run.stderr);
    assert.match(run.stderr, /no space/);
    assert.is(run.stdout, '');
  }),
);

live('after all of this no container is left', needs, async () => {
  assert.is((await rootless(['ps', '-a', '-q'])).stdout, '');
  if (existsSync(join(data, 'containers')))
    assert.equal(
      readdirSync(join(data, 'containers')).filter((name) => !name.startsWith('.')),
      [],
    );
});

live('a disk without room for a lock is named, nothing half written stays on it, and with room again all goes on', ['userns'], () => {
  const script = `mount -t tmpfs -o size=256k t /mnt && mkdir /mnt/d && export ROOTLESS_DATA=/mnt/d && "$0" system prune -af || exit
    { dd if=/dev/zero of=/mnt/fill bs=4k; dd if=/dev/zero of=/mnt/rest bs=1; } 2>/dev/null
    "$0" system prune -af; echo "full: $?"; find /mnt/d -name '*tmp-*'
    rm /mnt/fill /mnt/rest; "$0" system prune -af; echo "room: $?"`;
  const { stdout, stderr } = spawnSync('unshare', ['-Urm', 'sh', '-c', script, bin], { env: environment, encoding: 'utf8' });
  assert.match(stderr, /^rootless: no space left to lock "\/mnt\/d\/[^\n]+"\n {2}why: [^\n]+\n {2}fix: delete another file [^\n]+\n$/);
  assert.equal(
    stdout.split('\n').filter((line) => !line.startsWith('Total reclaimed space')),
    ['full: 125', 'room: 0', ''],
  );
});

live.run();
