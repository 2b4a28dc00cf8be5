/** A container's files: cp, diff, commit and export, of containers that run, have ended, or never ran. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { finished, type Output, rootless, start, until } from '../support/cli.ts';
import { bin } from '../support/checkout.ts';
import { busyboxImage, busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

const flags = ['--network', 'none'];
let count = 0;
const nameOf = (kind: string) => {
  count += 1;
  return `${kind}-${count}`;
};

/** A container that has run a script to its end. */
async function ended(script: string, more: readonly string[] = []): Promise<string> {
  const name = nameOf('ended');
  good(await rootless(['run', '--name', name, ...flags, ...more, busyboxImage(), 'sh', '-c', script]));
  return name;
}

/** Runs `body` while a container runs that has done `script`. */
async function whileRunning(script: string, body: (name: string) => Promise<void>, more: readonly string[] = []): Promise<void> {
  const name = nameOf('running');
  const child = start(['run', '--name', name, ...flags, ...more, busyboxImage(), 'sh', '-c', `${script}\necho ready; exec sleep 3000`]);
  try {
    await until(child, 'ready');
    await body(name);
  } finally {
    await rootless(['rm', '-f', name]);
  }
}

function good(output: Output): string {
  assert.is(output.code, 0, `exit ${output.code ?? output.signal}: ${output.stderr}`);
  return output.stdout;
}

async function cp(...args: string[]): Promise<string> {
  const output = await rootless(['cp', ...args]);
  good(output);
  return output.stderr;
}

async function refused(args: readonly string[], pattern: RegExp): Promise<void> {
  const output = await rootless(args);
  assert.is(output.code, 1, output.stderr);
  assert.match(output.stderr, pattern);
}

/** A folder with what a copy must keep. */
function makeTree(folder: string): string {
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'sub/empty'), { recursive: true });
  writeFileSync(join(tree, 'program'), 'text', { mode: 0o755 });
  writeFileSync(join(tree, 'sub/private'), 'x'.repeat(70_000), { mode: 0o600 });
  symlinkSync('sub/private', join(tree, 'link'));
  symlinkSync('/etc/passwd', join(tree, 'far'));
  spawnSync('truncate', ['-s', '64M', join(tree, 'hole')]);
  utimesSync(join(tree, 'program'), 1_000_000_000, 1_000_000_000.25);
  return tree;
}

function assertTree(tree: string): void {
  assert.is(readFileSync(join(tree, 'sub/private'), 'utf8').length, 70_000);
  assert.is(statSync(join(tree, 'program')).mode & 0o777, 0o755);
  assert.is(statSync(join(tree, 'sub/private')).mode & 0o777, 0o600);
  assert.is(statSync(join(tree, 'program')).mtimeMs, 1_000_000_000_250);
  assert.is(readlinkSync(join(tree, 'link')), 'sub/private');
  assert.is(readlinkSync(join(tree, 'far')), '/etc/passwd');
  assert.ok(statSync(join(tree, 'sub/empty')).isDirectory());
  const { size, blocks } = statSync(join(tree, 'hole'));
  assert.ok(size === 64 << 20 && blocks * 512 < size, 'a hole stays one');
}

live('a tree goes into a running container and comes back as it was', ['userns'], () =>
  withTmp(async (folder) => {
    const tree = makeTree(folder);
    await whileRunning('mkdir /dst', async (name) => {
      assert.match(await cp(tree, `${name}:/dst`), new RegExp(`^Successfully copied .*B to ${name}:/dst\n$`));
      assert.is(await cp('-q', tree, `${name}:/other`), '');
      await cp(`${name}:/dst/tree`, join(folder, 'back'));
      assertTree(join(folder, 'back'));
      await cp(`${name}:/other/.`, folder);
      assertTree(folder);
    });
  }),
);

live('files go in and out of containers that never ran, and are there when they run', ['userns'], () =>
  withTmp(async (folder) => {
    writeFileSync(join(folder, 'given'), 'before the start');
    good(await rootless(['create', '--name', 'made', ...flags, busyboxImage(), 'cat', '/tmp/given']));
    await cp(join(folder, 'given'), 'made:/tmp');
    assert.is(good(await rootless(['diff', 'made'])), 'C /tmp\nA /tmp/given\n');
    assert.is(good(await rootless(['start', '-a', 'made'])), 'before the start');
    await cp('made:/tmp/given', join(folder, 'again'));
    assert.is(readFileSync(join(folder, 'again'), 'utf8'), 'before the start');
    good(await rootless(['rm', 'made']));
  }),
);

live('what is copied belongs to the container’s root, or with an archive to whom it says', ['userns'], () =>
  withTmp(async (folder) => {
    writeFileSync(join(folder, 'mine'), 'x');
    await whileRunning('true', async (name) => {
      await cp(join(folder, 'mine'), `${name}:/mine`);
      const archive = tarBytes([{ name: 'theirs', data: 'x', uid: 33, gid: 34 }]);
      good(await rootless(['cp', '-', `${name}:/tmp`], { input: archive }));
      const [mine, theirs] = [good(await rootless(['cp', `${name}:/mine`, '-'])), good(await rootless(['cp', `${name}:/tmp/theirs`, '-']))];
      const owner = (tar: string) => [tar.slice(108, 115), tar.slice(116, 123)].map((octal) => Number.parseInt(octal, 8));
      assert.equal(owner(mine), [0, 0]);
      assert.equal(owner(theirs), [33, 34]);
      const strange = tarBytes([{ name: 'strange', data: 'x', uid: 2_000_000 }]);
      const output = await rootless(['cp', '-', `${name}:/tmp`], { input: strange });
      assert.is(output.code, 1);
      assert.match(output.stderr, /belongs to 2000000:0, which is not in the id map/);
    });
  }),
);

live('docker’s rules about what is at the ends of a copy', ['userns'], () =>
  withTmp(async (folder) => {
    const [file, tree] = [join(folder, 'file'), makeTree(folder)];
    writeFileSync(file, 'content');
    const name = await ended('mkdir /d /d/file; ln -s /d /to-folder; ln -s /etc/none /to-nothing; echo old > /f; ln -s f /to-f');
    await cp(file, `${name}:/to-folder/new`);
    await cp(`${name}:/d/new`, join(folder, 'out'));
    assert.is(readFileSync(join(folder, 'out'), 'utf8'), 'content');
    await cp(file, `${name}:/to-f`);
    await cp('-L', `${name}:/to-f`, join(folder, 'followed'));
    assert.is(readFileSync(join(folder, 'followed'), 'utf8'), 'content');
    await cp(`${name}:/to-f`, join(folder, 'link'));
    assert.is(readlinkSync(join(folder, 'link')), 'f');
    await cp(file, `${name}:/to-nothing`);
    await cp(`${name}:/etc/none`, folder);
    assert.is(readFileSync(join(folder, 'none'), 'utf8'), 'content');
    await refused(['cp', file, `${name}:/d`], /cannot overwrite a folder with something else "\/?d\/file"|"file"/);
    await refused(['cp', tree, `${name}:/f`], /cannot copy a folder to a file/);
    await refused(['cp', file, `${name}:/none/x`], /no such file or folder/);
    await refused(['cp', file, `${name}:/none/`], /no such folder/);
    await refused(['cp', `${name}:/f/`, folder], /not a folder/);
    await refused(['cp', `${name}:/nothing`, folder], /no such file or folder/);
    await refused(['cp', 'nobody:/x', folder], /no such container/);
    await refused(['cp', file, folder], /at least one container/);
    await refused(['cp', `${name}:/d`, `${name}:/d/inner`], /into itself/);
    await refused(['cp', '-', `${name}:/f`], /must be a folder/);
    const broken = await rootless(['cp', '-', `${name}:/d`], { input: 'no archive at all' });
    assert.is(broken.code, 1);
    assert.match(broken.stderr, /cannot copy/);
  }),
);

live('a container that swaps folders for links never reaches this machine’s files', ['userns'], () =>
  withTmp(async (folder) => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'of this machine');
    writeFileSync(join(folder, 'payload'), 'payload');
    const swap = `mkdir -p /a/b; echo own > /a/b/secret; (while :; do mv /a/b /a/c; ln -s ${outside} /a/b; ln -s ../../../../../../../..${outside} /a/d; rm /a/b /a/d; mv /a/c /a/b; done) &`;
    await whileRunning(swap, async (name) => {
      for (let round = 0; round < 12; round += 1) {
        const read = await rootless(['cp', `${name}:/a/b/secret`, '-']);
        assert.not.match(read.stdout, /of this machine/);
        await rootless(['cp', join(folder, 'payload'), `${name}:/a/b/`]);
        await rootless(['cp', join(folder, 'payload'), `${name}:/a/d/x`]);
        const all = await rootless(['cp', `${name}:/a`, '-']);
        assert.not.match(all.stdout, /of this machine/);
      }
    });
    assert.equal(existsSync(join(outside, 'payload')) || existsSync(join(outside, 'x')), false);
  }),
);

live('diff tells what was added, changed and deleted, and nothing that the runtime made', ['userns'], async () => {
  const script =
    'echo x > /new; echo y >> /etc/passwd; rm /etc/group; rm -r /home; mkdir /home; echo > /home/only; chmod 700 /root; echo z > /vol/in';
  const name = await ended(script, ['-v', '/vol', '--tmpfs', '/scratch']);
  const expected = ['C /etc', 'D /etc/group', 'C /etc/passwd', 'C /home', 'D /home/ana', 'A /home/only', 'A /new', 'C /root'];
  assert.equal(
    good(await rootless(['diff', name]))
      .trimEnd()
      .split('\n'),
    expected,
  );
  const json = good(await rootless(['diff', '--format', 'json', name])).split('\n')[0] ?? '';
  assert.equal(JSON.parse(json), { Kind: 'C', Path: '/etc' });
  const untouched = await ended('true', ['-v', '/vol']);
  assert.is(good(await rootless(['diff', untouched])), '');
});

live('commit makes an image of the changes, the same one every time if it is told the time', ['userns'], async () => {
  const script = 'echo kept > /kept; chown 33:34 /kept; ln /kept /twin; rm /etc/group; rm -r /home; mkdir /home; mkfifo /pipe';
  const name = await ended(script, ['-e', 'WORD=hello']);
  const env = { SOURCE_DATE_EPOCH: '1700000000' };
  const change = ['-c', 'CMD cat /kept; echo $WORD', '-c', 'LABEL a=b', '-m', 'a message', '-a', 'Ana'];
  const id = good(await rootless(['commit', ...change, name, 'committed:1'], { env })).trim();
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.is(good(await rootless(['commit', ...change, name], { env })).trim(), id);
  assert.is(good(await rootless(['run', '--rm', ...flags, 'committed:1'])), 'kept\nhello\n');
  const look = 'stat -c %u:%g:%h:%Y /kept; ls /home; ls /etc/group; test -p /pipe && echo pipe';
  const seen = await rootless(['run', '--rm', ...flags, 'committed:1', 'sh', '-c', look]);
  assert.match(seen.stdout, /^33:34:2:1700000000\npipe\n$/);
  assert.match(seen.stderr, /No such file/);
  const inspected = good(await rootless(['inspect', '--type', 'image', '--format', '{{.Author}} {{.Config.Labels.a}}', 'committed:1']));
  assert.is(inspected, 'Ana b\n');
  good(await rootless(['commit', '-f', 'docker', name, 'committed:docker']));
  assert.is(good(await rootless(['run', '--rm', ...flags, 'committed:docker', 'cat', '/kept'])), 'kept\n');
  const wrong = await rootless(['commit', '-c', 'RUN make', name]);
  assert.match(wrong.stderr, /invalid argument "RUN make"/);
  assert.is(wrong.code, 125);
  assert.is((await rootless(['commit', name, 'Not:A:Name'])).code, 125);
});

live('commit of a container that runs', ['userns'], () =>
  whileRunning('echo now > /now', async (name) => {
    good(await rootless(['commit', name, 'snapshot']));
    assert.is(good(await rootless(['run', '--rm', ...flags, 'snapshot', 'cat', '/now'])), 'now\n');
  }),
);

live('export is the filesystem without what is mounted, of a container that runs or has ended', ['userns'], () =>
  withTmp(async (folder) => {
    const script = 'echo x > /new; echo y > /vol/hidden';
    const names = (file: string) => spawnSync('tar', ['-tf', file], { encoding: 'utf8' }).stdout.split('\n');
    const check = async (name: string) => {
      const file = join(folder, 'out.tar');
      good(await rootless(['export', '-o', file, name]));
      const found = names(file);
      for (const path of ['new', 'bin/busybox', 'etc/passwd', 'vol/', 'proc/', 'dev/'])
        assert.ok(found.includes(path), `${path} of ${name}`);
      assert.equal(
        found.filter((path) => /^(proc|sys|dev|vol)\/./.test(path)),
        [],
      );
    };
    await check(await ended(script, ['-v', '/vol']));
    await whileRunning(script, check, ['-v', '/vol']);
    const none = await rootless(['export', '-o', join(folder, 'no/such/folder'), 'nobody']);
    assert.match(none.stderr, /no such container/);
  }),
);

live('image mount shows an image to the shell of unshare that asks, read-only, and to nobody else', ['userns', 'overlay'], async () => {
  const name = await ended('echo there > /shown');
  good(await rootless(['commit', name, 'shown']));
  good(await rootless(['run', '--rm', ...flags, 'shown', 'true']));
  const outside = await rootless(['image', 'mount', 'shown']);
  assert.match(outside.stderr, /rootless unshare/);
  const script = `h="${process.execPath} -- ${bin}"
    p=$($h image mount shown); cat $p/shown $p/etc/passwd | head -2; touch $p/new 2>/dev/null || echo read-only
    $h image mount | wc -l; $h image unmount shown; $h image mount | wc -l; ls $p 2>/dev/null || echo gone`;
  const seen = good(await rootless(['unshare', 'sh', '-c', script])).split('\n');
  assert.equal([seen[0], seen[1]?.slice(0, 5), seen[2], seen[3], seen[5], seen[6]], ['there', 'root:', 'read-only', '1', '0', 'gone']);
  assert.match(seen[4] ?? '', /^sha256:/);
});

live('layers of an image that somebody looks at stay until nobody does', ['userns', 'overlay'], async () => {
  const name = await ended('echo there > /leased');
  good(await rootless(['commit', name, 'leased']));
  good(await rootless(['run', '--rm', ...flags, 'leased', 'true']));
  good(await rootless(['rm', name]));
  const script = `p=$("$0" -- "$1" image mount leased); echo mounted; read -r go; cat $p/leased`;
  const looking = start(['unshare', 'sh', '-c', script, process.execPath, bin]);
  const done = finished(looking);
  await until(looking, 'mounted');
  good(await rootless(['rmi', '-f', 'leased']));
  looking.stdin?.end('go\n');
  assert.is((await done).stdout, 'mounted\nthere\n');
  assert.match(good(await rootless(['image', 'prune', '-f'])), /Total reclaimed space: [1-9]/);
});

live('an image of 127 layers runs, and its changes are one more', ['userns', 'overlay'], () =>
  withTmp(async (folder) => {
    const layers = [tarOf(busyboxRootfs(join(folder, 'rootfs')))];
    for (let at = 1; at < 127; at += 1)
      layers.push(
        tarBytes([
          { name: 'n/', type: '5' },
          { name: `n/${at}`, data: `${at}` },
          { name: 'top', data: `${at}` },
        ]),
      );
    const image = `oci:${ociLayout(join(folder, 'layout'), layers, { Env: ['PATH=/bin'] })}`;
    const argv = ['sh', '-c', 'ls /n | wc -l; cat /top; rm /n/5; : > /n/new'];
    assert.is(good(await rootless(['run', '--name', 'tall', ...flags, image, ...argv])), '126\n126');
    assert.is(good(await rootless(['diff', 'tall'])), 'C /n\nD /n/5\nA /n/new\n');
    good(await rootless(['commit', 'tall', 'taller']));
    assert.is(good(await rootless(['run', '--rm', ...flags, 'taller', 'sh', '-c', 'ls /n | wc -l'])), '126\n');
  }),
);

live.run();
