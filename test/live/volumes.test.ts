/** Volumes as people use them: what the image has there is copied once, who owns it, who has it, what goes when; and attacks on them. */

import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { gid, mode, uid } from '../support/checkout.ts';
import { data, finished, type Options, type Output, rootless, start, until } from '../support/cli.ts';
import { busyboxRootfs, type ImageConfig, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { type Entry, tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
/** With one id, owners are recorded and not real. */
const single = mode === 'single';

const content: readonly Entry[] = [
  { name: 'etc/passwd', data: 'root:x:0:0::/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\ndb:x:70:71::/db:/bin/sh\n' },
  { name: 'db', type: '5', mode: 0o700, uid: 70, gid: 71 },
  { name: 'db/first', data: 'from the image\n', uid: 70, gid: 71, mode: 0o640 },
  { name: 'db/sub', type: '5', uid: 70, gid: 71, mode: 0o2770 },
  { name: 'db/sub/deep', data: 'deep\n', uid: 0, gid: 0 },
  { name: 'db/link', type: '2', link: '/etc/passwd', uid: 70, gid: 71 },
  { name: 'db/setuid', data: '#!/bin/sh\n', mode: 0o4755, uid: 70, gid: 71 },
  { name: 'db/again', type: '1', link: 'db/first' },
];

async function ok(args: readonly string[], options?: Options): Promise<string> {
  const output = await rootless(args, options);
  assert.is(output.code, 0, `${args.join(' ')}: ${output.stderr}${output.stdout}`);
  return output.stdout.trimEnd();
}

async function refused(args: readonly string[], code: string, exit = 125): Promise<Output> {
  const output = await rootless(['--debug', ...args]);
  assert.is(output.code, exit, output.stderr + output.stdout);
  assert.match(output.stderr, new RegExp(`\\b${code}\\b`));
  return output;
}

const volumes = async (...flags: string[]) => (await ok(['volume', 'ls', '-q', ...flags])).split('\n').filter(Boolean);

/** An image of busybox and these entries. Afterwards nothing is left of containers and volumes, and no file of theirs. */
async function withImage(
  entries: readonly Entry[],
  config: ImageConfig,
  body: (image: string, folder: string) => Promise<void>,
): Promise<void> {
  await withTmp(async (folder) => {
    const layout = ociLayout(join(folder, 'layout'), [tarOf(busyboxRootfs(join(folder, 'rootfs'))), tarBytes(entries)], {
      Cmd: ['sh'],
      Env: ['PATH=/bin:/usr/bin'],
      ...config,
    });
    try {
      await body(`oci:${layout}`, folder);
    } finally {
      for (const id of (await ok(['ps', '-aq'])).split('\n').filter(Boolean)) await ok(['rm', '--force', '--volumes', id]);
      await ok(['volume', 'prune', '--all', '--force']);
    }
    assert.equal(await volumes(), []);
    const store = join(data, 'volumes');
    assert.equal(existsSync(store) ? readdirSync(store) : [], [], 'nothing is left on disk');
  });
}

const run = (image: string, flags: readonly string[], script: string) =>
  ok(['run', '--rm', '--network', 'none', ...flags, image, 'sh', '-c', script]);

async function background(flags: readonly string[], image: string): Promise<ChildProcess> {
  const child = start(['run', '--network', 'none', '-i', ...flags, image, 'sh', '-c', 'echo up; cat']);
  await until(child, 'up');
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const done = finished(child);
  child.stdin?.end();
  await done;
}

live('a named volume begins with what the image has there, with owners, modes, links and set-id bits, once', needs, () =>
  withImage(content, {}, async (image) => {
    const look = "cd /db; stat -c '%n %a %u:%g' . first sub sub/deep setuid; readlink link; cat first; stat -c %h first";
    const seen = await run(image, ['-v', 'data:/db'], look);
    const owner = single ? '0:0' : '70:71';
    assert.is(
      seen,
      `. 700 ${owner}\nfirst 640 ${owner}\nsub 2770 ${owner}\nsub/deep 644 0:0\nsetuid 4755 ${owner}\n/etc/passwd\nfrom the image\n2`,
    );
    await run(image, ['-v', 'data:/db'], 'rm /db/first; echo mine > /db/own');
    assert.is(await run(image, ['-v', 'data:/db'], 'ls /db; cat /db/own'), 'again\nlink\nown\nsetuid\nsub\nmine');
    assert.is(
      await run(image, ['-v', 'data:/db:ro'], 'touch /db/x 2>&1; ls /db/x 2>&1 | wc -l').then((text) => /Read-only/.test(text)),
      true,
    );
    assert.is(await run(image, ['-v', 'bare:/db:nocopy'], 'ls -A /db | wc -l'), '0');
    assert.is(await run(image, ['--mount', 'type=volume,src=bare2,dst=/db,volume-nocopy'], 'ls -A /db | wc -l'), '0');
  }),
);

live("a volume where the image has nothing belongs to the image's user", needs, () =>
  withImage(content, { User: 'db' }, async (image) => {
    assert.is(await run(image, ['-v', 'new:/new'], 'touch /new/f && echo written'), 'written');
    if (!single) assert.is(await run(image, ['-v', 'new:/new'], 'stat -c %u:%g /new'), '70:71');
  }),
);

live('volumes without a name: listed while they are there, gone with --rm and rm -v, dangling otherwise', needs, () =>
  withImage(content, { Volumes: { '/db': {} } }, async (image) => {
    const child = await background(['--rm', '--name', 'short', '-v', '/extra'], image);
    const names = await volumes();
    assert.is(names.length, 2);
    for (const name of names) assert.match(name, /^[0-9a-f]{64}$/);
    await refused(['volume', 'rm', names[0] ?? ''], 'VOLUME_IN_USE', 1);
    await end(child);
    assert.equal(await volumes(), []);
    await ok(['run', '--network', 'none', '--name', 'kept', image, 'sh', '-c', 'echo changed > /db/first']);
    const [name = ''] = await volumes();
    assert.equal(await volumes('--filter', 'dangling=true'), []);
    assert.is(await ok(['inspect', '--format', '{{(index .Mounts 0).Name}}', 'kept']), name);
    await ok(['start', '-a', 'kept']);
    assert.equal(await volumes(), [name], 'a second start has the same one');
    await ok(['rm', 'kept']);
    assert.equal(await volumes('--filter', 'dangling=true'), [name]);
    await ok(['run', '--network', 'none', '--name', 'kept', image, 'true']);
    await ok(['rm', '-v', 'kept']);
    assert.equal(await volumes(), [name]);
    assert.match(await ok(['volume', 'prune', '-f']), new RegExp(`Deleted Volumes:\n${name}\n\nTotal reclaimed space: \\d`));
  }),
);

live('run --rm leaves a VOLUME in its own layer, writable also where the rest is not', needs, () =>
  withImage(content, { Volumes: { '/db': {}, '/made': {} } }, async (image) => {
    assert.is(
      await run(image, [], 'echo x > /db/x && cat /db/first; echo y > /made/y 2>/dev/null || mkdir /made && ls -d /made'),
      'from the image\n/made',
    );
    assert.is(
      await run(image, ['--read-only'], 'echo x > /db/x && cat /db/x && touch /made/y && touch /z 2>/dev/null || echo sealed'),
      'x\nsealed',
    );
  }),
);

live("--volumes-from shares another container's volumes and folders, and keeps what would go with it", needs, () =>
  withImage(content, {}, async (image, folder) => {
    mkdirSync(join(folder, 'host'));
    writeFileSync(join(folder, 'host/f'), 'bound\n');
    const flags = ['--rm', '--name', 'first', '-v', '/db', '-v', `${folder}/host:/host:ro`, '--tmpfs', '/t'];
    const child = await background(flags, image);
    assert.is(
      await run(
        image,
        ['--volumes-from', 'first'],
        'cat /db/first /host/f; echo shared > /db/shared; touch /host/x 2>/dev/null || echo ro; ls -d /t'.replace('; ls -d /t', ''),
      ),
      'from the image\nbound\nro',
    );
    assert.match(await run(image, ['--volumes-from', 'first:ro'], 'cat /db/shared; touch /db/x 2>&1 || true'), /^shared\n.*Read-only/);
    await ok(['run', '--network', 'none', '--name', 'second', '--volumes-from', 'first', image, 'true']);
    await end(child);
    assert.is(await run(image, ['--volumes-from', 'second'], 'cat /db/shared'), 'shared', 'it outlived the container that it was made for');
    await refused(['run', '--rm', '--volumes-from', 'nobody', image, 'true'], 'CONTAINER_NOT_FOUND');
  }),
);

live('volume commands: create, ls, inspect, exists, rm, and what docker refuses', needs, () =>
  withImage(content, {}, async (image) => {
    assert.is(await ok(['volume', 'create', '--label', 'tier=db', '-l', 'empty', 'data']), 'data');
    assert.is(await ok(['volume', 'create', 'data']), 'data');
    assert.match(await ok(['volume', 'create']), /^[0-9a-f]{64}$/);
    assert.equal(await volumes('--filter', 'label=tier=db'), ['data']);
    assert.equal(await volumes('--filter', 'name=^da'), ['data']);
    const [head, ...lines] = (await ok(['volume', 'ls'])).split('\n');
    assert.match(head ?? '', /^DRIVER +VOLUME NAME$/);
    assert.is(lines.filter((line) => /^local +([0-9a-f]{64}|data)$/.test(line)).length, 2);
    assert.is(
      await ok(['volume', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Labels}}', '--filter', 'name=data']),
      'data local tier=db,empty=',
    );
    const [shown] = JSON.parse(await ok(['volume', 'inspect', 'data'])) as [Record<string, unknown>];
    assert.equal([shown['Name'], shown['Driver'], shown['Scope'], shown['Options']], ['data', 'local', 'local', {}]);
    assert.equal(shown['Labels'], { tier: 'db', empty: '' });
    assert.ok(statSync(String(shown['Mountpoint'])).isDirectory());
    assert.is((await rootless(['volume', 'exists', 'data'])).code, 0);
    assert.is((await rootless(['volume', 'exists', 'nobody'])).code, 1);
    const some = await rootless(['--debug', 'volume', 'inspect', 'nobody', 'data']);
    assert.is(some.code, 1);
    assert.match(some.stderr, /VOLUME_NOT_FOUND/);
    assert.is((JSON.parse(some.stdout) as unknown[]).length, 1, 'what was found is shown');
    await refused(['volume', 'rm', 'nobody'], 'VOLUME_NOT_FOUND', 1);
    await ok(['volume', 'rm', '-f', 'nobody']);
    await ok(['create', '--name', 'holder', '-v', 'data:/db', image, 'true']);
    const holder = await ok(['inspect', '--format', '{{.Id}}', 'holder']);
    assert.match(
      (await refused(['volume', 'rm', '-f', 'data'], 'VOLUME_IN_USE', 1)).stderr,
      new RegExp(`volume is in use - \\[${holder}\\]`),
    );
    assert.match(await ok(['volume', 'prune', '-a', '-f', '--filter', 'label=tier']), /^Total reclaimed space: 0B$/);
    await ok(['rm', 'holder']);
    assert.is(await ok(['volume', 'rm', 'data']), 'data');
    const unsure = await rootless(['volume', 'prune'], { input: 'n\n' });
    assert.is(unsure.code, 1);
    assert.match(unsure.stdout, /WARNING! This will remove anonymous local volumes not used by at least one container/);
    assert.is((await volumes()).length, 1);
  }),
);

for (const [args, code] of [
  [['create', '../x'], 'VOLUME_NAME_INVALID'],
  [['create', 'a/b'], 'VOLUME_NAME_INVALID'],
  [['create', '-d', 'nfs', 'x'], 'FLAG_VALUE_INVALID'],
  [['create', '-o', 'type=nfs', '-o', 'device=:/x', 'x'], 'VOLUME_OPTIONS_REFUSED'],
  [['create', '-o', 'colour=red', 'x'], 'VOLUME_OPTIONS_INVALID'],
  [['ls', '--filter', 'colour=red'], 'FLAG_VALUE_INVALID'],
  [['ls', '--filter', 'dangling=perhaps'], 'FLAG_VALUE_INVALID'],
  [['rm'], 'ARGUMENTS_WRONG'],
] as const) {
  live(`volume ${args.join(' ')} is refused`, needs, () => refused(['volume', ...args], code).then(() => undefined));
}

live('a volume can stand for a tmpfs or for a folder of the host', needs, () =>
  withImage(content, {}, async (image, folder) => {
    await ok(['volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=1m,mode=700', 'mem']);
    assert.is(
      await run(image, ['-v', 'mem:/m'], "stat -c %a /m; df -k /m | tail -1 | awk '{print $2}'; grep -c ' /m tmpfs' /proc/mounts"),
      '700\n1024\n1',
    );
    const place = join(folder, 'place');
    await ok(['volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${place}`, 'bound']);
    await refused(['run', '--rm', '-v', 'bound:/b', image, 'true'], 'VOLUME_DEVICE_MISSING');
    mkdirSync(place);
    await run(image, ['-v', 'bound:/b'], 'echo x > /b/f');
    assert.is(readFileSync(join(place, 'f'), 'utf8'), 'x\n');
    await refused(['volume', 'create', '-o', 'type=tmpfs', 'bound'], 'VOLUME_EXISTS');
    assert.is(await ok(['volume', 'create', '--ignore', '-o', 'type=tmpfs', 'bound']), 'bound');
    await ok(['volume', 'rm', 'bound']);
    assert.ok(existsSync(join(place, 'f')), 'what it stood for stays');
  }),
);

live('export and import carry a volume with its owners; an archive cannot lead out of it', needs, () =>
  withImage(content, {}, async (image, folder) => {
    await run(image, ['-v', 'data:/db'], 'true');
    const tar = join(folder, 'data.tar');
    await ok(['volume', 'export', 'data', '-o', tar]);
    await ok(['volume', 'create', 'copy']);
    await ok(['volume', 'import', 'copy', tar]);
    const look = "cd /v; stat -c '%n %a %u:%g' . first sub setuid; cat first";
    assert.is(await run(image, ['-v', 'copy:/v'], look), await run(image, ['-v', 'data:/v'], look));
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    const evil = tarBytes([
      { name: 'way', type: '2', link: outside },
      { name: 'way/f', data: 'out' },
      { name: '../../up', data: 'out' },
    ]);
    const child = await rootless(['volume', 'import', 'copy', '-'], { input: evil });
    assert.equal(readdirSync(outside), [], child.stderr);
    assert.not.ok(existsSync(join(data, 'volumes/up')) || existsSync(join(data, 'volumes/copy/up')));
    await refused(['volume', 'import', 'copy', join(folder, 'layout/index.json')], 'VOLUME_TAR_FAILED');
    await refused(['volume', 'export', 'nobody'], 'VOLUME_NOT_FOUND');
  }),
);

live('a hostile image cannot lead the copy out of itself', needs, () =>
  withTmp(async (outside) => {
    writeFileSync(join(outside, 'secret'), 'secret');
    const entries: readonly Entry[] = [
      ...content,
      { name: 'out', type: '2', link: outside },
      { name: 'up', type: '2', link: `../../../../../..${outside}` },
      { name: 'inside', type: '2', link: '/db/sub' },
      { name: 'loop', type: '2', link: 'loop' },
      { name: 'devices', type: '5' },
      { name: 'devices/null', type: '3', major: 1, minor: 3, mode: 0o666 },
      { name: 'devices/fifo', type: '6' },
      { name: 'file', data: 'no folder' },
    ];
    await withImage(entries, {}, async (image) => {
      for (const path of ['/out', '/up', '/loop/x']) {
        const output = await rootless(['run', '--rm', '--network', 'none', '-v', `v${path.slice(1, 4)}:${path}`, image, 'ls', '-A', path]);
        assert.not.match(output.stdout, /secret/, path);
      }
      assert.equal(readdirSync(outside), ['secret']);
      assert.is(await run(image, ['-v', 'in:/inside'], 'ls /inside /db/sub'), '/db/sub:\ndeep\n\n/inside:\ndeep');
      assert.is(
        await run(image, ['-v', 'dev:/devices'], 'echo x > /devices/null; cat /devices/null; test -p /devices/fifo && echo fifo'),
        'x\nfifo',
      );
      assert.is((await rootless(['run', '--rm', '--network', 'none', '-v', 'f:/file', image, 'true'])).code, 125);
    });
    assert.is(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
  }),
);

live('ten containers that start with one fresh volume at once: it is copied once, and all have it', needs, () =>
  withImage(content, {}, async (image) => {
    const script = 'cat /db/first; echo x >> /db/count; test -e /db/.filling && echo half';
    const outputs = await Promise.all(
      Array.from({ length: 10 }, () =>
        rootless(['run', '--rm', '--network', 'none', '-v', 'data:/db', image, 'sh', '-c', `${script}; true`]),
      ),
    );
    for (const { code, stdout, stderr } of outputs) assert.equal([code, stdout], [0, 'from the image\n'], stderr);
    assert.is(await run(image, ['-v', 'data:/db'], 'wc -l < /db/count'), '10');
    assert.equal(readdirSync(join(data, 'volumes/data')).sort(), ['_data', 'ids', 'users', 'volume.json']);
  }),
);

live('what a killed start has left of a copy does not count', needs, () =>
  withImage(content, {}, async (image) => {
    await ok(['volume', 'create', 'data']);
    mkdirSync(join(data, 'volumes/data/.filling/half'), { recursive: true });
    writeFileSync(join(data, 'volumes/data/.filling/half/f'), 'half');
    assert.is(await run(image, ['-v', 'data:/db'], 'cat /db/first; ls -A /db | wc -l'), 'from the image\n5');
    assert.not.ok(existsSync(join(data, 'volumes/data/.filling')));
  }),
);

live('a volume that is removed while containers start is there for those that start, or is not removed', needs, () =>
  withImage(content, {}, async (image) => {
    const starts = Array.from({ length: 6 }, () =>
      rootless(['run', '--rm', '--network', 'none', '-v', 'data:/db', image, 'cat', '/db/first']),
    );
    const removals = Array.from({ length: 8 }, () => rootless(['--debug', 'volume', 'rm', 'data']));
    for (const { code, stdout, stderr } of await Promise.all(starts)) assert.equal([code, stdout], [0, 'from the image\n'], stderr);
    for (const { stderr, code } of await Promise.all(removals)) if (code !== 0) assert.match(stderr, /VOLUME_(IN_USE|NOT_FOUND)/);
  }),
);

live('a link in the place of a volume is not followed, nor removed', needs, () =>
  withImage(content, {}, async (image, folder) => {
    mkdirSync(join(data, 'volumes'), { recursive: true });
    mkdirSync(join(folder, 'elsewhere'));
    const link = join(data, 'volumes/link');
    symlinkSync(join(folder, 'elsewhere'), link);
    try {
      await refused(['run', '--rm', '-v', 'link:/db', image, 'true'], 'VOLUME_INVALID');
      await refused(['volume', 'rm', 'link'], 'VOLUME_INVALID', 1);
      assert.ok(lstatSync(link).isSymbolicLink());
    } finally {
      spawnSync('rm', [link]);
    }
  }),
);

live('a part of a volume is mounted by volume-subpath, and no link in it leads out, also while it is swapped', needs, () =>
  withImage(content, {}, async (image) => {
    const part = (subpath: string) => ['--mount', `type=volume,src=data,dst=/part,volume-subpath=${subpath}`];
    await run(
      image,
      ['-v', 'data:/db'],
      'mkdir -p /db/a/b; echo deep > /db/a/b/f; ln -s a/b /db/way; ln -s /etc /db/out; ln -s ../../../../../../../../etc /db/up',
    );
    assert.is(await run(image, part('a/b'), 'cat /part/f'), 'deep');
    assert.is(await run(image, part('way'), 'cat /part/f'), 'deep');
    assert.is(await run(image, part('first'), 'cat /part'), 'from the image');
    for (const path of ['out', 'up', 'none'])
      await refused(['run', '--rm', '--network', 'none', ...part(path), image, 'true'], 'MOUNT_SOURCE_MISSING');
    const script =
      'echo up; mkdir /db/safe; touch /db/safe/mark; while :; do mv /db/safe /db/was; ln -s /etc /db/safe; rm /db/safe; mv /db/was /db/safe; done';
    const swapper = start(['run', '--rm', '-i', '--network', 'none', '-v', 'data:/db', image, 'sh', '-c', script]);
    await until(swapper, 'up');
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const { stdout } = await rootless(['run', '--rm', '--network', 'none', ...part('safe'), image, 'ls', '/part']);
      assert.ok(stdout === 'mark\n' || stdout === '', stdout);
    }
    const done = finished(swapper);
    swapper.kill('SIGKILL');
    await done;
  }),
);

live(':O throws away what is written, :U gives a folder to the user, rro reaches mounts below', [...needs, 'overlay'], () =>
  withImage(content, { User: 'db' }, async (image, folder) => {
    const host = join(folder, 'host');
    mkdirSync(join(host, 'sub'), { recursive: true, mode: 0o755 });
    writeFileSync(join(host, 'f'), 'kept\n');
    const own = ['--userns', 'host', '-u', '0'];
    assert.is(await run(image, [...own, '-v', `${host}:/h:O`], 'echo lost > /h/f; rm -r /h/sub; cat /h/f; stat -c %a /h'), 'lost\n755');
    assert.is(readFileSync(join(host, 'f'), 'utf8'), 'kept\n');
    assert.equal(readdirSync(host).sort(), ['f', 'sub']);
    for (const name of ['upper', 'work']) mkdirSync(join(folder, name));
    const layers = `O,upperdir=${folder}/upper,workdir=${folder}/work`;
    await run(image, [...own, '-v', `${host}:/h:${layers}`], 'echo more > /h/more');
    assert.is(await run(image, [...own, '-v', `${host}:/h:${layers}`], 'cat /h/f /h/more'), 'kept\nmore');
    if (single || uid === 0) return;
    symlinkSync('/etc/passwd', join(host, 'link'));
    assert.is(await run(image, ['--userns', 'host', '-v', `${host}:/h:U`], 'touch /h/mine && stat -c %u:%g /h/f /h/sub'), '70:71\n70:71');
    assert.is(statSync('/etc/passwd').uid, 0);
    assert.is.not(statSync(join(host, 'f')).uid, uid);
    assert.is(await run(image, [...own, '-v', `${host}:/h:U`], 'stat -c %u:%g /h/f'), '0:0');
    assert.is(statSync(join(host, 'f')).uid, uid);
    await refused(['run', '--rm', '-v', '/etc:/h:U', image, 'true'], 'MOUNT_CHOWN_REFUSED');
    await refused(['run', '--rm', '-v', `${process.env['HOME']}:/h:U`, image, 'true'], 'MOUNT_CHOWN_REFUSED');
  }),
);

live('an image is a mount, as it is or under what is written', [...needs, 'overlay'], () =>
  withImage(content, {}, async (image) => {
    const mount = (more: string) => ['--mount', `type=image,src=${image},dst=/img${more}`];
    assert.match(await run(image, mount(''), 'cat /img/etc/passwd | head -1; touch /img/x 2>&1 || true'), /^root:.*\n.*Read-only/);
    assert.is(await run(image, mount(',rw'), 'echo x > /img/x; cat /img/x; test -e /x || echo apart'), 'x\napart');
    assert.is(await run(image, mount(',rw,subpath=bin'), 'test -x /img/busybox && touch /img/y && echo part'), 'part');
  }),
);

live('tmpfs mounts copy up when asked to; devpts and ramfs are made', needs, () =>
  withImage(content, {}, async (image) => {
    assert.is(
      await run(image, ['--tmpfs', '/db:tmpcopyup,size=1m'], 'cat /db/first; grep -c " /db tmpfs" /proc/mounts'),
      'from the image\n1',
    );
    assert.is(await run(image, ['--tmpfs', '/db:notmpcopyup'], 'ls -A /db | wc -l'), '0');
    assert.is(await run(image, ['--mount', 'type=devpts,dst=/pts'], 'test -c /pts/ptmx && echo made'), 'made');
    assert.is(await run(image, ['--mount', 'type=ramfs,dst=/ram'], 'grep -c " /ram ramfs" /proc/mounts'), '1');
  }),
);

if (!single && uid !== 0) {
  live("a project folder of the caller's is readable and writable by the image's user, and what it makes is the caller's", needs, () =>
    withImage(content, { User: 'ana' }, async (image, folder) => {
      const project = join(folder, 'project');
      mkdirSync(project, { mode: 0o700 });
      writeFileSync(join(project, 'source'), 'text\n', { mode: 0o600 });
      assert.is(
        await run(image, ['-v', `${project}:/src`], 'id -u; cat /src/source; echo made > /src/made; stat -c %u:%g /src/source'),
        '1000\ntext\n1000:1000',
      );
      const made = statSync(join(project, 'made'));
      assert.equal([made.uid, made.gid], [uid, gid]);
      assert.is(await run(image, ['-v', `${project}:/src`, '-u', 'db'], 'id -u; cat /src/source; touch /src/second'), '70\ntext');
      assert.is(statSync(join(project, 'second')).uid, uid);
      assert.is(await run(image, ['-v', `${project}:/src`, '-u', '0'], 'id -u; stat -c %u /src/source'), '0\n0');
      const chosen = await rootless([
        'run',
        '--rm',
        '--network',
        'none',
        '--userns',
        'host',
        '-v',
        `${project}:/src`,
        image,
        'cat',
        '/src/source',
      ]);
      assert.is(chosen.code, 1, 'who chooses gets what was chosen');
    }),
  );

  live('a volume follows the mapping of its container, but not while another one has it', needs, () =>
    withImage(content, {}, async (image) => {
      const look = "stat -c '%n %a %u:%g' /db /db/first /db/sub/deep /db/setuid";
      const usual = await run(image, ['-v', 'data:/db'], look);
      const keep = ['--userns', 'keep-id:uid=70,gid=71'];
      assert.is(await run(image, [...keep, '-u', '0', '-v', 'data:/db'], look), usual);
      assert.is(statSync(join(data, 'volumes/data/_data')).uid, uid, 'the caller stands for the owner now');
      assert.is(await run(image, ['--userns', 'nomap', '-v', 'data:/db'], look), usual);
      const child = await background(['--rm', '-v', 'data:/db'], image);
      const other = await refused(['run', '--rm', '--network', 'none', ...keep, '-v', 'data:/db', image, 'true'], 'VOLUME_IDS_DIFFER');
      assert.match(other.stderr, /is in use with other ids/);
      await end(child);
      assert.is(await run(image, ['-v', 'data:/db'], look), usual);
    }),
  );

  live('a conversion of owners that was killed goes on where it was', needs, () =>
    withImage(content, {}, async (image) => {
      const look = "stat -c '%n %u:%g' /db /db/first /db/sub /db/sub/deep";
      const before = await run(image, ['-v', 'data:/db'], look);
      const keep = ['--userns', 'keep-id:uid=70,gid=71', '-u', '0', '-v', 'data:/db'];
      await ok(['run', '--rm', '--network', 'none', ...keep.slice(0, 4), '-v', 'other:/db', image, 'true']);
      const folder = join(data, 'volumes/data');
      writeFileSync(join(folder, 'remap'), `${readFileSync(join(data, 'volumes/other/ids'), 'utf8')}\n`);
      // Later than the mark, by more than a tick of the clock that files have.
      await run(image, [], 'sleep 0.1');
      await ok(['unshare', 'chown', '0:0', join(folder, '_data/first')]);
      assert.is(await run(image, keep, look), before);
      assert.is(await run(image, ['-v', 'data:/db'], look), before);
      assert.not.ok(existsSync(join(folder, 'remap')));
    }),
  );

  live("a folder that is closed to the container's root is named", needs, () =>
    withImage(content, {}, async (image, folder) => {
      mkdirSync(join(folder, 'closed/in'), { recursive: true, mode: 0o700 });
      const flags = ['--network', 'none', '--userns', 'nomap', '-v', `${folder}/closed/in:/in`];
      const { stderr } = await refused(['run', '--rm', ...flags, image, 'true'], 'MOUNT_FAILED');
      assert.match(stderr, /is closed to others, and its owner or group has no id in this container/);
    }),
  );
}

live.run();
