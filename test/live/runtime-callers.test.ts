/** The argument lists of containerd's shim and of CRI-O's conmon, as those send them: what they read of the answers is there. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import * as assert from 'uvu/assert';
import { type Bundle, program, withBundle } from '../support/bundle.ts';
import { helper } from '../support/checkout.ts';
import { rootless } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { slowness } from '../support/slow.ts';

const needs = ['userns', 'busybox'] as const;

/** go-runc, which the shim is built on: global options first, errors read from the last line of the log. */
function shim({ folder }: Bundle) {
  const log = join(folder, 'log.json');
  const call = (args: readonly string[], input = '') => {
    const files = ['shim-out', 'shim-err'].map((name) => openSync(join(folder, name), 'w'));
    const all = ['--root', join(folder, 'state'), '--log', log, '--log-format', 'json', ...args];
    const { status } = spawnSync(helper, all, { cwd: folder, input, stdio: ['pipe', ...files], timeout: 60_000 * slowness });
    for (const file of files) closeSync(file);
    return { code: status, out: readFileSync(join(folder, 'shim-out'), 'utf8'), err: readFileSync(join(folder, 'shim-err'), 'utf8') };
  };
  const good = (args: readonly string[], input?: string) => {
    const result = call(args, input);
    assert.is(result.code, 0, `${args.join(' ')}: ${result.err}`);
    return result.out;
  };
  const lastError = () => {
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    const { level, msg } = JSON.parse(lines.at(-1) ?? '{}') as { level: string; msg: string };
    return level === 'error' ? msg : '';
  };
  return { call, good, lastError };
}

live('containerd’s shim creates, starts, enters, signals and deletes, and reads errors from the log', needs, () =>
  withBundle(async (bundle) => {
    const { folder, change } = bundle;
    const { call, good, lastError } = shim(bundle);
    const file = (name: string) => join(folder, name);
    change(program('sh', '-c', 'trap "exit 5" TERM; echo ready > /ready; while :; do sleep 0.1; done'));
    good(['create', '--bundle', folder, '--pid-file', file('init.pid'), '--no-new-keyring', 'c']);
    assert.is(JSON.parse(good(['state', 'c'])).status, 'created');
    good(['start', 'c']);
    await eventually(() => assert.ok(existsSync(file('rootfs/ready'))));
    const state = JSON.parse(good(['state', 'c'])) as { status: string; pid: number; bundle: string };
    assert.equal([state.status, String(state.pid), state.bundle], ['running', readFileSync(file('init.pid'), 'utf8'), folder]);
    const { process } = JSON.parse(readFileSync(file('config.json'), 'utf8')) as { process: object };
    writeFileSync(file('process'), JSON.stringify({ ...process, args: ['sh', '-c', 'echo inside > /entered; exec sleep 1000'] }));
    good(['exec', '--process', file('process'), '--pid-file', file('exec.pid'), '--detach', 'c']);
    await eventually(() => assert.is(readFileSync(file('rootfs/entered'), 'utf8'), 'inside\n'));
    const pids = JSON.parse(good(['ps', '--format', 'json', 'c'])) as number[];
    for (const name of ['init.pid', 'exec.pid']) assert.ok(pids.includes(Number(readFileSync(file(name), 'utf8'))), name);
    writeFileSync(file('process'), JSON.stringify({ ...process, args: ['/no/such'] }));
    assert.is(call(['exec', '--process', file('process'), '--pid-file', file('none.pid'), '--detach', 'c']).code, 255);
    assert.match(lastError(), /exec \/no\/such: no such file or directory/);
    assert.not.ok(existsSync(file('none.pid')));
    // Where this machine has no cgroup for it, that is what is said.
    for (const [args, input] of [[['update', '--resources', '-', 'c'], '{"pids":{"limit":50}}'], [['events', '--stats', 'c']]] as const) {
      if (call(args, input).code !== 0) assert.match(lastError(), /cgroup/);
    }
    assert.is(call(['delete', 'c']).code, 1);
    assert.match(lastError(), /not stopped/);
    assert.is(call(['checkpoint', '--image-path', file('image'), 'c']).code, 1);
    assert.match(lastError(), /not supported/);
    good(['kill', 'c', '15']);
    await eventually(() => assert.is(JSON.parse(good(['state', 'c'])).status, 'stopped'));
    assert.is(call(['kill', 'c', '9']).code, 1);
    // The shim takes these words for "it has ended already".
    assert.match(lastError(), /container not running|process already finished|no such process/);
    assert.is(call(['kill', '--all', 'c', '9']).code === 0 || /not running/.test(lastError()), true);
    good(['delete', 'c']);
    assert.is(call(['state', 'c']).code, 1);
    assert.match(lastError(), /does not exist/);
    good(['delete', '--force', 'c']);
  }),
);

/** CRI-O's conmon: it is let go by one pipe, and says by another what the runtime made. */
async function conmon(bundle: Bundle, args: readonly string[], says: (line: string) => void, exits = 'exits'): Promise<void> {
  const { folder } = bundle;
  for (const name of [exits, 'persist', 'sockets']) mkdirSync(join(folder, name), { recursive: true });
  const list = ['-b', folder, '-r', helper, '--runtime-arg', `--root=${join(folder, 'state')}`, '--exit-dir', join(folder, exits)];
  const more = ['--persist-dir', join(folder, 'persist'), '--socket-dir-path', join(folder, 'sockets'), '--log-level', 'info', '-u', 'c'];
  const env = { ...process.env, _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' };
  const child = spawn('conmon', ['-c', 'c', '-n', 'name', ...list, ...more, ...args], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    env,
  });
  const [, , , sync, start] = child.stdio as unknown as [null, null, null, Readable, NodeJS.WritableStream];
  let said = '';
  sync.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  start.end('\0');
  await once(child, 'exit');
  await eventually(() => says(said));
  sync.destroy();
}

live('CRI-O’s conmon gets its pid, its log, its exit code, and a program inside', needs, () =>
  withBundle(async (bundle) => {
    const { folder, call, change } = bundle;
    const log = join(folder, 'log');
    change(program('sh', '-c', 'echo out; echo err >&2; while ! test -e /end; do sleep 0.1; done; exit 7'));
    await conmon(bundle, ['-l', log, '-p', join(folder, 'pid'), '-P', join(folder, 'conmon-pid')], (said) => {
      assert.is((JSON.parse(said.split('\n')[0] ?? '') as { pid: number }).pid, Number(readFileSync(join(folder, 'pid'), 'utf8')));
    });
    assert.is(call('start', 'c').code, 0);
    await eventually(() => assert.match(readFileSync(log, 'utf8'), /^\S+ stdout F out\n\S+ stderr F err$/m));
    const { process } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as { process: object };
    const spec = join(folder, 'process.json');
    writeFileSync(spec, JSON.stringify({ ...process, args: ['sh', '-c', 'echo entered; touch /end; exit 3'] }));
    const into = join(folder, 'exec-log');
    const enter = ['-e', '--exec-process-spec', spec, '-l', into, '-p', join(folder, 'exec-pid')];
    await conmon(bundle, enter, (said) => assert.match(said, /"exit_code": 3|"pid": \d+/), 'exec-exits');
    await eventually(() => assert.is(readFileSync(join(folder, 'exec-exits/c'), 'utf8'), '3'));
    assert.match(readFileSync(into, 'utf8'), /stdout F entered/);
    await eventually(() => assert.is(readFileSync(join(folder, 'exits/c'), 'utf8'), '7'));
    assert.ok(readdirSync(join(folder, 'state')).includes('c'));
    assert.is(call('delete', '--force', 'c').code, 0);
  }),
);

live('conmon is told why a container was not made', needs, () =>
  withBundle(async (bundle) => {
    bundle.change(program('/no/such'));
    await conmon(bundle, ['-l', join(bundle.folder, 'log'), '-p', join(bundle.folder, 'pid')], (said) => {
      assert.match(said, /"pid": -1.*exec \/no\/such: no such file or directory/s);
    });
    assert.is(bundle.status('c'), undefined);
  }),
);

/** Its user namespace is below the caller's, as that of a pod is below the host's: whose root the folder is closed to is the container's. */
const closed = `mount -t tmpfs none /mnt && cd /mnt && cp -r "$1/rootfs" "$1/config.json" . && mkdir -p rootfs/m closed/in &&
echo inside > closed/in/file && chown -R 10:10 rootfs && chmod 755 closed/in && chmod 700 closed && exec "$HELPER" --root /mnt/state run c`;

live('a bind whose source is closed to the container’s root is taken by the runtime’s, as CRI-O’s pods need it', needs, () =>
  withBundle(async ({ folder, change }) => {
    change((config) => {
      program('sh', '-c', 'id -u; cat /m/file; ls /m/..; echo x > /m/file')(config);
      const ids = [{ containerID: 0, hostID: 10, size: 100 }];
      Object.assign(config['linux'], { uidMappings: ids, gidMappings: ids });
      config['mounts'].push({ destination: '/m', type: 'bind', source: 'closed/in', options: ['bind', 'ro'] });
    });
    const { stdout, stderr } = await rootless(['unshare', 'sh', '-c', closed, 'sh', folder], { env: { HELPER: helper } });
    assert.match(stdout, /^0\ninside\nbin\n/, stderr);
    assert.match(stderr, /\/m\/file: Read-only file system/);
  }),
);

live.run();
