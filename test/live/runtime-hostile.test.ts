/** Attacks on the runtime from inside and beside: each is one that worked on some runtime once, and may touch nothing of the host's. */

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { type Bundle, type Config, program, refused, withBundle } from '../support/bundle.ts';
import { helper } from '../support/checkout.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;

/** `ls -l /proc/self/fd`: the streams, and the folder that ls reads. */
function onlyStreams(listing: string, where: string): void {
  const numbers = [...listing.matchAll(/:\d\d (\d+)( ->.*)?\r?$/gm)].map(([, number]) => number);
  assert.equal(numbers.sort(), ['0', '1', '2', '3'], `${where}: ${listing}`);
  assert.ok(!/ 3 -> /.test(listing) || / 3 -> \/proc\/\d+\/fd/.test(listing), `${where}: ${listing}`);
}

/** The helper with more descriptors open than its own, as a careless engine leaves them: folders of the host among them. */
function withLeaks({ folder }: Bundle, ...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const files = ['out', 'err'].map((name) => openSync(join(folder, name), 'w'));
  const leaks = ['/', '/etc', '/proc', folder].map((path) => openSync(path, 'r'));
  const stdio = ['ignore' as const, ...files, ...leaks, ...leaks];
  const { status } = spawnSync(helper, ['--root', join(folder, 'state'), ...args], { cwd: folder, stdio, timeout: 60_000 });
  for (const file of [...files, ...leaks]) closeSync(file);
  const [stdout = '', stderr = ''] = ['out', 'err'].map((name) => readFileSync(join(folder, name), 'utf8'));
  return { code: status, stdout, stderr };
}

const listing = ['ls', '-l', '/proc/self/fd'];

live('no descriptor of the caller or of the runtime reaches a program', needs, () =>
  withBundle((bundle) => {
    const { change, call } = bundle;
    change(program(...listing));
    onlyStreams(withLeaks(bundle, 'run', 'a').stdout, 'run');
    change(program('sh', '-c', 'ls -l /proc/self/fd > /said; exec sleep 1000'));
    assert.is(withLeaks(bundle, 'create', 'b').code, 0);
    assert.is(withLeaks(bundle, 'start', 'b').code, 0);
    onlyStreams(withLeaks(bundle, 'exec', 'b', ...listing).stdout, 'exec');
    onlyStreams(withLeaks(bundle, 'exec', '--tty', 'b', ...listing).stdout, 'exec with a terminal');
    onlyStreams(call('exec', 'b', 'cat', '/said').stdout, 'create and start');
  }),
);

live('no descriptor of the runtime reaches a hook, outside or in the container', needs, () =>
  withBundle((bundle) => {
    const { change, folder } = bundle;
    const hook = (to: string) => ({ path: '/bin/sh', args: ['sh', '-c', `ls -l /proc/self/fd > ${to}`] });
    change((config) => {
      config['hooks'] = {
        createRuntime: [hook(join(folder, 'createRuntime'))],
        createContainer: [hook(join(folder, 'rootfs/createContainer'))],
        startContainer: [hook('/startContainer')],
        poststop: [hook(join(folder, 'poststop'))],
      };
      program('true')(config);
    });
    const { code, stderr } = withLeaks(bundle, 'run', 'a');
    assert.is(code, 0, stderr);
    for (const point of ['createRuntime', 'rootfs/createContainer', 'rootfs/startContainer', 'poststop'])
      onlyStreams(readFileSync(join(folder, point), 'utf8'), point);
  }),
);

live('what waits for `start` holds nothing of the host but its streams', needs, () =>
  withBundle((bundle) => {
    const { change, folder } = bundle;
    change(program('true'));
    assert.is(withLeaks(bundle, 'create', '--pid-file', join(folder, 'pid'), 'a').code, 0);
    const fds = `/proc/${readFileSync(join(folder, 'pid'), 'utf8')}/fd`;
    for (const number of readdirSync(fds)) {
      const to = readlinkSync(join(fds, number));
      assert.ok(
        /^(socket|pipe|anon_inode):/.test(to) || ['/dev/null', join(folder, 'out'), join(folder, 'err')].includes(to),
        `${number} ${to}`,
      );
    }
  }),
);

live('a working directory behind a leaked descriptor is refused (CVE-2024-21626)', needs, () =>
  withBundle((bundle) => {
    const { change } = bundle;
    for (let number = 3; number < 12; number++) {
      change((config) => {
        config['process'].cwd = `/proc/self/fd/${number}`;
        program('cat', 'etc/hostname', '../../etc/hostname', '../../../etc/hostname')(config);
      });
      refused(withLeaks(bundle, 'run', 'a'), /^rootless-helper: error: cwd "\/proc\/self\/fd\/\d+"/);
    }
    change((config) => {
      config['process'].cwd = '/';
      program('sleep', '1000')(config);
    });
    assert.is(withLeaks(bundle, 'run', '--detach', 'b').code, 0);
    for (let number = 3; number < 12; number++) {
      const { code, stdout } = withLeaks(bundle, 'exec', '--cwd', `/proc/self/fd/${number}`, 'b', 'ls');
      assert.equal({ code, stdout }, { code: 255, stdout: '' });
    }
    const relative = withLeaks(bundle, 'exec', '--cwd', 'proc/self/fd/3', 'b', 'ls');
    assert.match(relative.stderr, /^rootless-helper: error: cwd "proc\/self\/fd\/3": it is not absolute/);
  }),
);

live('links in place of /dev, /dev/null, /dev/console and /dev/pts lead nowhere (CVE-2025-31133, CVE-2025-52565)', needs, () =>
  withBundle(({ call, change, folder }) => {
    const [rootfs, outside] = [join(folder, 'rootfs'), join(folder, 'outside')];
    mkdirSync(outside);
    writeFileSync(join(rootfs, 'etc/secret'), 'secret\n');
    change((config) => {
      config['linux'].maskedPaths = ['/etc/secret'];
      program('cat', '/etc/secret', '/etc/passwd')(config);
    });
    const run = () => {
      const result = call('run', 'a');
      assert.not.match(result.stdout, /secret/);
      assert.equal(readdirSync(outside), []);
      return result;
    };
    // /dev itself, with and without a mount on it.
    symlinkSync(`../../../../../..${outside}`, join(rootfs, 'dev'));
    run();
    change((config) => {
      config['mounts'] = config['mounts'].filter(({ destination }: { destination: string }) => !destination.startsWith('/dev'));
    });
    run();
    // What masked paths would be covered with.
    rmSync(join(rootfs, 'dev'), { recursive: true });
    for (const to of ['/etc/passwd', '/proc/self/root/etc/passwd', outside, '/proc/sys/kernel/core_pattern']) {
      mkdirSync(join(rootfs, 'dev/pts'), { recursive: true });
      symlinkSync(to, join(rootfs, 'dev/null'));
      symlinkSync(to, join(rootfs, 'dev/console'));
      run();
      rmSync(join(rootfs, 'dev'), { recursive: true });
    }
  }),
);

live('magic links of /proc are no way for a mount', needs, () =>
  withBundle(({ call, change, folder }) => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    for (const to of [`/proc/self/root${outside}`, `/proc/1/root${outside}`, '/proc/self/cwd', '/proc/self/fd/3']) {
      rmSync(join(folder, 'rootfs/x'), { force: true });
      symlinkSync(to, join(folder, 'rootfs/x'));
      change((config) => {
        config['mounts'] = config['mounts'].filter(({ source }: { source: string }) => source !== '/etc');
        config['mounts'].push({ destination: '/x/y', type: 'bind', source: '/etc', options: ['bind', 'ro'] });
        program('true')(config);
      });
      const { code, stderr } = call('run', 'a');
      assert.ok(code === 0 || /^rootless-helper: error: mount \d+ "\/x\/y": E[A-Z]+/.test(stderr), stderr);
      assert.equal(readdirSync(outside), [], to);
    }
  }),
);

const racer = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
folder, outside = sys.argv[1:]
os.symlink('../' * 30 + outside, folder + '/link')
os.symlink(outside, folder + '/absolute')
sys.stdout.write('racing\\n'); sys.stdout.flush()
while os.getppid() != 1:
    for name in ('/link', '/absolute'):
        libc.renameat2(-100, (folder + '/race').encode(), -100, (folder + name).encode(), 2)
`;

live('targets that another process swaps for links while containers start stay inside', ['userns', 'busybox', 'python'], () =>
  withBundle(async ({ call, change, folder }) => {
    const [rootfs, outside] = [join(folder, 'rootfs'), join(folder, 'outside')];
    for (const path of [outside, join(rootfs, 'race')]) mkdirSync(path);
    change((config) => {
      const bind = (destination: string, source: string) => ({ destination, type: 'bind', source, options: ['bind', 'ro'] });
      config['mounts'].push(bind('/race/a/b', '/etc'), bind('/race/c', '/etc/hostname'));
      config['mounts'].push({ destination: '/race/d', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] });
      config['linux'].maskedPaths.push('/race/a', '/race/e/f');
      config['linux'].readonlyPaths.push('/race');
      config['linux'].devices = [{ path: '/race/null', type: 'c', major: 1, minor: 3 }];
      program('true')(config);
    });
    const other = spawn('python3', ['-c', racer, rootfs, outside], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((done) => other.stdout.once('data', done));
    try {
      for (let round = 0; round < 100; round++) {
        const { code, stderr } = call('run', 'a');
        if (code !== 0) assert.match(stderr, /^rootless-helper: error: (mount|mask|device)( \d+)? "\/(race|dev)[^"]*": E[A-Z]+/);
        assert.equal(readdirSync(outside), []);
      }
    } finally {
      other.kill('SIGKILL');
      await new Promise((done) => other.once('close', done));
    }
  }),
);

live('root of the container cannot look into a process that enters it (CVE-2016-9962)', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    const watcher = `while :; do for p in /proc/[0-9]*; do
      [ "$p" = /proc/1 ] || for l in "$p"/exe "$p"/cwd "$p"/fd/*; do t=$(readlink "$l") && echo "$l $t" >> /seen; done
      done; touch /watching; done 2>/dev/null`;
    change((config) => {
      program('sh', '-c', watcher)(config);
      const all = ['CAP_SYS_PTRACE', 'CAP_SYS_ADMIN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_KILL'];
      config['process'].capabilities = { bounding: all, effective: all, permitted: all };
    });
    assert.is(call('run', '--detach', 'a').code, 0);
    await eventually(() => assert.ok(existsSync(join(folder, 'rootfs/watching'))));
    for (let round = 0; round < 30; round++) assert.is(call('exec', 'a', 'true').code, 0);
    const seen = readFileSync(join(folder, 'rootfs/seen'), 'utf8');
    assert.not.match(seen, /rootless-helper/);
    for (const line of seen.split('\n')) {
      const to = line.split(' ').slice(1).join(' ');
      assert.not.ok(to.startsWith(folder) && ![join(folder, 'out'), join(folder, 'err')].includes(to), line);
    }
  }),
);

live('the runtime’s own file cannot be written by what it starts (CVE-2019-5736)', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    const digest = () => createHash('sha256').update(readFileSync(helper)).digest('hex');
    const before = digest();
    writeFileSync(join(folder, 'rootfs/bin/self'), '#!/proc/self/exe features\n', { mode: 0o755 });
    change(program('sh', '-c', 'while :; do for p in /proc/[0-9]*; do echo x >> $p/exe; done; touch /trying; done 2>/dev/null'));
    assert.is(call('run', '--detach', 'a').code, 0);
    await eventually(() => assert.ok(existsSync(join(folder, 'rootfs/trying'))));
    for (let round = 0; round < 20; round++) for (const path of ['/proc/self/exe', '/bin/self']) call('exec', 'a', path);
    call('delete', '--force', 'a');
    change(program('/bin/self'));
    call('run', 'b');
    assert.is(digest(), before);
  }),
);

live('a create that is killed at any moment leaves no process, and its name is free after delete --force', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    change(program('sleep', '1000'));
    const left = () =>
      readdirSync('/proc').filter(
        (pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid && commandLine(pid).includes(`${folder}/state`),
      );
    for (let delay = 0; delay < 60; delay += 3) {
      const creator = spawn(helper, ['--root', join(folder, 'state'), 'create', 'a'], { cwd: folder, stdio: 'ignore' });
      const closed = new Promise((done) => creator.once('close', done));
      await pause(delay);
      creator.kill('SIGKILL');
      await closed;
      if (existsSync(join(folder, 'state/a'))) assert.is(call('delete', '--force', 'a').code, 0);
      await eventually(() => assert.equal(left(), []));
      assert.not.ok(existsSync(join(folder, 'state/a')));
    }
  }),
);

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

live('a state folder that is empty, cut off, of another program, or no folder is named, and goes with --force', needs, () =>
  withBundle(({ call, change, folder, status }) => {
    change(program('sleep', '1000'));
    const state = join(folder, 'state');
    const file = join(state, 'a/state.json');
    const damages: readonly (readonly [string, (file: string) => void, RegExp])[] = [
      ['nothing in it', () => undefined, /state "a": container does not exist/],
      ['an empty file', (file) => writeFileSync(file, ''), /state ".*state\.json": EOF/],
      ['half a document', (file) => writeFileSync(file, '{"ociVersion": "1.2.0", "id'), /state ".*state\.json": EOF/],
      ['another program’s', (file) => writeFileSync(file, '{"version": 9, "initProcessPid": 1}'), /state ".*state\.json": missing field/],
      ['other types', (file) => writeFileSync(file, '{"ociVersion": 1}'), /state ".*state\.json": invalid type/],
      ['bytes', (file) => writeFileSync(file, Buffer.from([0xff, 0xfe, 0, 1])), /state ".*state\.json": /],
      ['a folder', (file) => mkdirSync(file), /state ".*state\.json": EISDIR/],
      ['a link in a circle', (file) => symlinkSync('state.json', file), /state ".*state\.json": ELOOP/],
    ];
    for (const [name, damage, says] of damages) {
      mkdirSync(join(state, 'a'), { recursive: true });
      damage(file);
      for (const verb of ['state', 'start', 'pause', 'resume', 'ps', 'delete']) refused(call(verb, 'a'), says);
      refused(call('kill', 'a', 'KILL'), says);
      assert.is(call('exec', 'a', 'true').code, 255, name);
      assert.is(call('create', 'b').code, 0, name);
      assert.match(call('list').stdout, /^b +\d+ +created/m, name);
      assert.is(call('delete', '--force', 'b').code, 0, name);
      refused(call('create', 'a'), /container exists already/);
      assert.is(call('delete', '--force', 'a').code, 0, name);
      assert.is(status('a'), undefined);
    }
    writeFileSync(join(state, 'c'), 'no folder');
    refused(call('state', 'c'), /state ".*c\/state\.json": ENOTDIR/);
    refused(call('create', 'c'), /container exists already/);
    rmSync(join(state, 'c'));
  }),
);

live('a configuration that is replaced while it is read is one or the other', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    const texts = ['one', 'two'].map((word) => {
      change((config: Config) => {
        program('sh', '-c', `echo ${word} $A`)(config);
        config['process'].env = [`PATH=/bin`, `A=${word.repeat(20_000)}`];
      });
      return readFileSync(join(folder, 'config.json'), 'utf8');
    });
    for (const [index, text] of texts.entries()) writeFileSync(join(folder, `text${index}`), text);
    const script = 'for (;;) for (const i of [0, 1]) { fs.copyFileSync(`text${i}`, "next"); fs.renameSync("next", "config.json"); }';
    const other = spawn(process.execPath, ['-e', `const fs = require("node:fs"); ${script}`], { cwd: folder, stdio: 'ignore' });
    try {
      for (let round = 0; round < 20; round++) {
        const { code, stdout, stderr } = call('run', 'a');
        assert.is(code, 0, stderr);
        const [word = '', rest = ''] = stdout.trimEnd().split(' ');
        assert.is(rest, word.repeat(20_000));
      }
    } finally {
      other.kill('SIGKILL');
      await new Promise((done) => other.once('close', done));
    }
    // Written in place a half of it may be read: then it is an error, and nothing is left.
    writeFileSync(join(folder, 'config.json'), (texts[0] ?? '').slice(0, 30_000));
    refused(call('run', 'a'), /^rootless-helper: error: validate "\$": not JSON: EOF/);
  }),
);

live.run();
