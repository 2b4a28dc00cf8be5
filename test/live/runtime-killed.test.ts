/** Each process of the runtime killed at its system calls, and each call refused by the kernel: an error that names both, nothing left, the name free. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bundle, program, type Result, refused, withBundle } from '../support/bundle.ts';
import { helper } from '../support/checkout.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox', 'strace'] as const;

/** The helper under strace, with one call disturbed: what it printed, how it ended, what was called. With what it starts, where that ends too. */
function traced({ folder }: Bundle, inject: string | undefined, ...args: readonly string[]): Result & { readonly calls: string } {
  const all = args[0] === 'run' || args[0] === 'exec' ? ['-f'] : [];
  const log = join(folder, 'strace');
  const disturb = inject === undefined ? [] : ['-e', `inject=${inject}`];
  // A created container holds what it was given, and a pipe would only end with it.
  const out = args[0] === 'create' ? 'ignore' : 'pipe';
  const { status, signal, stdout, stderr } = spawnSync(
    'strace',
    [...all, '-q', '-o', log, ...disturb, helper, '--root', join(folder, 'state'), ...args],
    { cwd: folder, encoding: 'utf8', stdio: ['ignore', out, out], timeout: 60_000 },
  );
  assert.is.not(signal, 'SIGTERM', `${inject} ${args}: hangs`);
  return { code: status, stdout: stdout ?? '', stderr: stderr ?? '', calls: readFileSync(log, 'utf8') };
}

/** Every `step`th call of each process, in words of strace: `openat:when=3` is the third of that name. */
function moments(calls: string, step: number): string[] {
  const counts = new Map<string, number>();
  const all = [...calls.matchAll(/^(?:(\d+) +)?([a-z]\w*)\(/gm)].map(([, pid, name]) => {
    const count = (counts.get(`${pid} ${name}`) ?? 0) + 1;
    counts.set(`${pid} ${name}`, count);
    return `${name}:when=${count}`;
  });
  const own = [...new Set(all.slice(1))].filter((call) => !call.startsWith('exit_group'));
  return own.filter((_, index) => index % step === 0);
}

const killed = (moment: string) => moment.replace(':', ':signal=SIGKILL:');

/** Processes that name the bundle's state folder, or stand in its root. */
function living({ folder }: Bundle): string[] {
  const about = (pid: string) => {
    try {
      return ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1')).join('\0');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid && about(pid).includes(folder));
}

/** After an attack: whatever there is of it goes with `delete --force`, and nothing beside it is left. */
async function gone(bundle: Bundle, id: string, what: string): Promise<void> {
  const { call, folder } = bundle;
  if (existsSync(join(folder, 'state', id))) assert.is(call('delete', '--force', id).code, 0, what);
  await eventually(() => assert.equal(living(bundle), [], what));
  assert.equal(
    readdirSync(folder).filter((name) => !['config.json', 'err', 'out', 'rootfs', 'state', 'strace'].includes(name)),
    [],
    what,
  );
  assert.equal(readdirSync(join(folder, 'state')), [], what);
}

/** `sleep`, found again by a variable that names the bundle. */
function sleeper({ change, folder }: Bundle): void {
  change((config) => {
    config['process'].env.push(`BUNDLE=${folder}`);
    program('sleep', '1000')(config);
  });
}

live('a create that is killed at any call leaves nothing, its pid file whole or not there, and its name free', needs, () =>
  withBundle(async (bundle) => {
    sleeper(bundle);
    const pid = join(bundle.folder, 'pid');
    const create = ['create', '--pid-file', pid, 'a'];
    const at = moments(traced(bundle, undefined, ...create).calls, 4);
    assert.ok(at.length > 20, `${at.length} moments`);
    rmSync(pid);
    await gone(bundle, 'a', 'not disturbed');
    for (const moment of at) {
      assert.match(traced(bundle, killed(moment), ...create).calls, /killed by SIGKILL/, moment);
      if (existsSync(pid)) assert.match(readFileSync(pid, 'utf8'), /^\d+$/, moment);
      rmSync(pid, { force: true });
      await gone(bundle, 'a', moment);
    }
    assert.is(bundle.call('create', 'a').code, 0);
  }),
);

live('a run of which any process is killed at any call ends, and leaves nothing', needs, () =>
  withBundle(async (bundle) => {
    bundle.change((config) => {
      config['process'].env.push(`BUNDLE=${bundle.folder}`);
      program('true')(config);
    });
    const at = moments(traced(bundle, undefined, 'run', 'a').calls, 13);
    assert.ok(at.length > 30, `${at.length} moments`);
    let hits = 0;
    for (const moment of at) {
      hits += Number(traced(bundle, killed(moment), 'run', 'a').calls.includes('killed by SIGKILL'));
      await gone(bundle, 'a', moment);
    }
    assert.ok(hits > at.length / 2, `${hits} of ${at.length}`);
    assert.is(bundle.call('run', 'a').code, 0);
  }),
);

live('start, exec, kill and delete that are killed at any call leave a container that can be deleted', needs, () =>
  withBundle(async (bundle) => {
    sleeper(bundle);
    const verbs: readonly (readonly [readonly string[], readonly string[], number])[] = [
      [['create', 'a'], ['start', 'a'], 6],
      [['run', '--detach', 'a'], ['exec', 'a', 'true'], 31],
      [['run', '--detach', 'a'], ['kill', 'a', 'KILL'], 6],
      [['run', '--detach', 'a'], ['delete', '--force', 'a'], 6],
    ];
    for (const [first, then, step] of verbs) {
      assert.is(bundle.call(...first).code, 0);
      const at = moments(traced(bundle, undefined, ...then).calls, step);
      assert.ok(at.length > 5, `${then}: ${at.length} moments`);
      await gone(bundle, 'a', `${then}`);
      for (const moment of at) {
        assert.is(bundle.call(...first).code, 0, moment);
        traced(bundle, killed(moment), ...then);
        await gone(bundle, 'a', `${then} ${moment}`);
      }
    }
  }),
);

/** Calls of a start that can fail on any machine, each with what the kernel would say. */
const refusals = [
  'mkdir:error=ENOSPC:when=2',
  'write:error=ENOSPC:when=1',
  'write:error=EIO:when=2',
  'rename:error=EDQUOT:when=1',
  'socketpair:error=EMFILE:when=1',
  'clone3:error=EAGAIN:when=1',
  'openat:error=EMFILE:when=3',
  'openat:error=ENFILE:when=6',
  'openat2:error=ENOMEM:when=1',
  'move_mount:error=EPERM:when=2',
  'move_mount:error=ENOSPC:when=4',
  'mount_setattr:error=EINVAL:when=1',
  'pivot_root:error=EBUSY:when=1',
  'sethostname:error=EPERM:when=1',
  'setresuid:error=EAGAIN:when=1',
  'execve:error=ENOMEM:when=2',
];

live('a call that the kernel refuses ends a start with its step, its target and the errno, and nothing is left', needs, () =>
  withBundle(async (bundle) => {
    bundle.change(program('true'));
    let failed = 0;
    for (const inject of refusals) {
      const result = traced(bundle, inject, 'run', 'a');
      assert.ok(result.calls.includes('INJECTED'), `${inject}: no such call`);
      if (result.code !== 0) {
        failed++;
        const errno = /error=(E[A-Z]+)/.exec(inject)?.[1];
        assert.match(
          result.stderr.trimEnd(),
          new RegExp(`^(rootless-helper: error: [a-z-]+( \\d+)?( "[^\\n]*")?: ${errno}.*|exec /[a-z/]+/true: [^\\n]*)$`),
          inject,
        );
      }
      await gone(bundle, 'a', inject);
    }
    assert.ok(failed >= refusals.length / 2, `${failed} of ${refusals.length}`);
  }),
);

live('who cannot look whether a container lives deletes nothing of it', needs, () =>
  withBundle(async (bundle) => {
    sleeper(bundle);
    assert.is(bundle.call('run', '--detach', 'a').code, 0);
    const verbs = [
      ['delete', 'a'],
      ['delete', '--force', 'a'],
      ['kill', 'a', 'KILL'],
      ['state', 'a'],
    ];
    // musl opens with open(2) where there is one.
    for (const inject of [
      '?open,openat:error=EMFILE',
      'read:error=EIO:when=3+',
      'pidfd_open:error=EMFILE',
      '?open,openat:error=ENOMEM:when=2+',
    ])
      for (const verb of verbs) {
        const { code, stdout, stderr } = traced(bundle, inject, ...verb);
        if (verb[0] !== 'state' && verb[0] !== 'kill') assert.is(code, 1, `${inject} ${verb}: ${stdout}${stderr}`);
        assert.is(bundle.status('a'), 'running', `${inject} ${verb}`);
      }
    assert.is(living(bundle).length, 1);
  }),
);

live('a container whose name is no text is seen, paused, killed and deleted as any other', needs, () =>
  withBundle(async ({ call, change, folder, status }) => {
    const script = "printf '\\377)' > /proc/$$/comm; echo > /named; while :; do sleep 1; done";
    change(program('sh', '-c', script));
    assert.is(call('run', '--detach', 'a').code, 0);
    await eventually(() => assert.ok(existsSync(join(folder, 'rootfs/named'))));
    assert.is(status('a'), 'running');
    refused(call('delete', 'a'), /cannot delete a container that is running/);
    assert.is(call('pause', 'a').code, 0);
    assert.is(status('a'), 'paused');
    assert.is(call('resume', 'a').code, 0);
    assert.is(call('kill', 'a', 'KILL').code, 0);
    await eventually(() => assert.is(status('a'), 'stopped'));
    assert.is(call('delete', 'a').code, 0);
  }),
);

live('what was asked for and cannot be written is a failure, and no panic', ['userns', 'busybox'], () =>
  withBundle(({ call, change, folder }) => {
    change(program('sleep', '1000'));
    assert.is(call('create', 'a').code, 0);
    const verbs = [
      'features',
      '--version',
      '--help',
      'create --help',
      'list',
      'list --format json',
      'state a',
      'ps a',
      'ps --format json a',
    ];
    for (const verb of verbs)
      for (const to of ['/dev/full', '&-']) {
        const line = `exec "$0" --root "$1" ${verb} >${to}`;
        const { status, stderr } = spawnSync('sh', ['-c', line, helper, join(folder, 'state')], { cwd: folder, encoding: 'utf8' });
        if (to === '&-') assert.is(status, 0, `${verb}: ${stderr}`);
        else {
          assert.ok(status === 1 || status === 125, `${verb}: ${status}`);
          assert.is(stderr, 'rootless-helper: error: output "stdout": ENOSPC: no space left on device\n');
        }
      }
  }),
);

live.run();
