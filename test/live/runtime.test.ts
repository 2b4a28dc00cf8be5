/** The helper as an OCI runtime by itself: what runc and crun do with a bundle, and input that cannot work. */

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { program, refused, withBundle } from '../support/bundle.ts';
import { helper } from '../support/checkout.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;

live('create, start, state, exec, kill and delete are those of runc', needs, () =>
  withBundle(async ({ call, change, status, folder }) => {
    change(program('sh', '-c', 'trap "exit 3" TERM; echo ready > /ready; while :; do sleep 0.1; done'));
    assert.is(call('create', '--pid-file', join(folder, 'pid'), 'a').code, 0);
    assert.is(status('a'), 'created');
    assert.ok(Number(readFileSync(join(folder, 'pid'), 'utf8')) > 1);
    assert.is(call('start', 'a').code, 0);
    assert.is(status('a'), 'running');
    assert.is(call('exec', '--cwd', '/tmp', '-e', 'A=b', 'a', 'sh', '-c', 'echo $A; pwd; exit 7').code, 7);
    assert.is(call('exec', 'a', 'no-such-program').code, 255);
    assert.match(call('exec', 'a', 'no-such-program').stderr, /executable file not found in \$PATH/);
    assert.match(call('list').stdout, /^ID +PID +STATUS +BUNDLE +CREATED +OWNER\na +\d+ +running/);
    assert.is((JSON.parse(call('ps', '--format', 'json', 'a').stdout) as number[]).length >= 1, true);
    await eventually(() => assert.ok(existsSync(join(folder, 'rootfs/ready'))));
    refused(call('delete', 'a'), /cannot delete a container that is running/);
    assert.is(call('kill', 'a', 'TERM').code, 0);
    await eventually(() => assert.ok(status('a') === 'stopped'));
    refused(call('kill', 'a', 'TERM'), /container not running/);
    assert.is(call('delete', 'a').code, 0);
    refused(call('state', 'a'), /container does not exist/);
  }),
);

live('run --detach leaves the container to its engine, and the caller’s descriptors outside', needs, () =>
  withBundle(({ call, change, status }) => {
    change(program('sleep', '1000'));
    assert.is(call('run', '--detach', 'a').code, 0);
    assert.is(status('a'), 'running');
    assert.equal(call('exec', 'a', 'ls', '/proc/1/fd').stdout.split('\n').filter(Boolean), ['0', '1', '2']);
    assert.is(call('delete', '--force', 'a').code, 0);
  }),
);

live('a bundle without a user namespace or ids gets both', needs, () =>
  withBundle(({ call, change }) => {
    change((config) => {
      config['linux'].namespaces = config['linux'].namespaces.filter(({ type }: { type: string }) => type !== 'user');
      delete config['linux'].uidMappings;
      delete config['linux'].gidMappings;
      program('id', '-u')(config);
    });
    assert.is(call('run', 'a').stdout, '0\n');
  }),
);

live('changes of config.json after create have no effect', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    change(program('sh', '-c', 'echo before > /said'));
    assert.is(call('create', 'a').code, 0);
    writeFileSync(join(folder, 'config.json'), '{ "ociVersion": ');
    assert.is(call('start', 'a').code, 0);
    await eventually(() => assert.is(readFileSync(join(folder, 'rootfs/said'), 'utf8'), 'before\n'));
    assert.is(call('delete', '--force', 'a').code, 0);
  }),
);

live('clocks, personality, memory policy, umask and five sets of capabilities are as asked', needs, () =>
  withBundle(({ call, change }) => {
    change((config) => {
      config['linux'].namespaces.push({ type: 'time' });
      config['linux'].timeOffsets = { boottime: { secs: 1337, nanosecs: 0 } };
      config['linux'].personality = { domain: 'LINUX32' };
      config['linux'].memoryPolicy = { mode: 'MPOL_BIND', nodes: '0' };
      config['process'].user.umask = 0o27;
      config['process'].capabilities = { bounding: ['CAP_KILL', 'CAP_NEW_ONE'], permitted: ['CAP_KILL'] };
      program(
        'sh',
        '-c',
        'cat /proc/self/timens_offsets; uname -m; umask; grep -c "bind" /proc/self/numa_maps; grep CapBnd /proc/self/status',
      )(config);
    });
    const { stdout, stderr, code } = call('run', 'a');
    assert.is(code, 0, stderr);
    assert.match(stderr, /ignoring unknown or unavailable capabilities: \[CAP_NEW_ONE\]/);
    assert.match(stdout, /boottime +1337 +0/);
    assert.match(stdout, /^(i[3-6]86|armv8l|aarch64)$/m);
    assert.match(stdout, /^0027$/m);
    assert.match(stdout, /CapBnd:\t0000000000000020/);
  }),
);

live('hooks have the state on stdin, and one that hangs is ended with all that it started', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    const sh = (script: string, timeout?: number) => ({ path: '/bin/sh', args: ['sh', '-c', script], ...(timeout ? { timeout } : {}) });
    change((config) => {
      config['hooks'] = { createRuntime: [sh(`cat > ${folder}/said`)], poststop: [sh(`echo gone >> ${folder}/said`)] };
      program('true')(config);
    });
    assert.is(call('run', 'a').code, 0);
    const [state, gone] = readFileSync(join(folder, 'said'), 'utf8').split(/(?<=\})/);
    assert.is((JSON.parse(state ?? '') as { status: string }).status, 'creating');
    assert.match(gone ?? '', /gone/);
    change((config) => {
      config['hooks'] = { createRuntime: [sh('true'), sh(`sleep 4242 & echo $! > ${folder}/child; echo stuck >&2; wait`, 1)] };
    });
    refused(
      call('create', 'a'),
      /hook 1 "createRuntime \/bin\/sh": ETIMEDOUT: error running createRuntime hook #1: createRuntime hook timed out after 1 s/,
    );
    await eventually(() => assert.throws(() => process.kill(Number(readFileSync(join(folder, 'child'), 'utf8')), 0)));
    change((config) => {
      config['hooks'] = { startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'echo no, thanks >&2; exit 4'] }] };
    });
    refused(call('run', '--detach', 'a'), /startContainer hook #0: startContainer hook failed with exit code 4, stderr: no, thanks/);
  }),
);

live('a console socket that nobody serves is named', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    change((config) => {
      config['process'].terminal = true;
    });
    refused(call('create', 'a'), /--console-socket \(process.terminal is true\) is missing/);
    const socket = join(folder, 'console');
    refused(call('create', '--console-socket', socket, 'a'), /console ".*\/console": ENOENT/);
    const server = createServer().listen(socket);
    await new Promise((done) => server.once('listening', done));
    await new Promise((done) => server.close(done));
    writeFileSync(socket, '');
    refused(call('create', '--console-socket', socket, 'a'), /console ".*\/console": ECONNREFUSED/);
  }),
);

live('a truncated state folder and a reused pid are no container', needs, () =>
  withBundle(({ call, change, status, folder }) => {
    change(program('sleep', '1000'));
    assert.is(call('run', '--detach', 'a').code, 0);
    const file = join(folder, 'state/a/state.json');
    const saved = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; startTime: number };
    // The process that has the number now is another one: it began at another time.
    writeFileSync(file, JSON.stringify({ ...saved, startTime: saved.startTime + 1 }));
    assert.is(status('a'), 'stopped');
    refused(call('kill', 'a', 'KILL'), /container not running/);
    process.kill(saved.pid, 0);
    writeFileSync(file, JSON.stringify(saved).slice(0, 40));
    refused(call('state', 'a'), /state ".*state\.json"|state: .*EOF/);
    assert.is(call('delete', '--force', 'a').code, 0);
    process.kill(saved.pid, 'SIGKILL');
  }),
);

live('killed between create and start, a container is stopped; a create that was killed is swept with delete --force', needs, () =>
  withBundle(async ({ call, change, status, folder }) => {
    change(program('true'));
    assert.is(call('create', '--pid-file', join(folder, 'pid'), 'a').code, 0);
    process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
    await eventually(() => assert.ok(status('a') === 'stopped'));
    refused(call('start', 'a'), /cannot start a container that is stopped/);
    assert.is(call('delete', 'a').code, 0);
    change((config) => {
      config['hooks'] = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `echo $$ > ${folder}/hook; exec sleep 4243`] }] };
    });
    const creator = spawn(helper, ['--root', join(folder, 'state'), 'create', 'b'], { cwd: folder, stdio: 'ignore' });
    await eventually(() => assert.match(readFileSync(join(folder, 'hook'), 'utf8'), /\n$/));
    creator.kill('SIGKILL');
    await new Promise((done) => creator.once('close', done));
    process.kill(Number(readFileSync(join(folder, 'hook'), 'utf8')), 'SIGKILL');
    refused(call('create', 'b'), /container exists already/);
    const half = JSON.parse(readFileSync(join(folder, 'state/b/creating.json'), 'utf8')) as { pid: number };
    assert.is(call('delete', '--force', 'b').code, 0);
    await eventually(() => assert.not(existsSync(`/proc/${half.pid}`)));
  }),
);

live('links of a root filesystem lead nowhere outside of it', needs, () =>
  withBundle(({ call, change, folder }) => {
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    symlinkSync('../../../../../../../..' + outside, join(folder, 'rootfs/up'));
    symlinkSync(outside, join(folder, 'rootfs/absolute'));
    change((config) => {
      const options = ['bind', 'ro'];
      config['mounts'].push(
        { destination: '/up/x', type: 'bind', source: '/etc', options },
        { destination: '/absolute/y', type: 'bind', source: '/etc', options },
      );
      config['linux'].maskedPaths.push('/up', '/absolute');
      program('true')(config);
    });
    assert.is(call('run', 'a').code, 0);
    assert.equal(readdirSync(outside), []);
    rmSync(join(folder, 'rootfs/proc'), { recursive: true, force: true });
    symlinkSync('/tmp', join(folder, 'rootfs/proc'));
    refused(call('run', 'a'), /mount 0 "\/proc": ELOOP: it must be mounted on ordinary directory/);
  }),
);

live('behind Landlock nothing is written but what is listed, and nothing can be mounted', needs, () =>
  withBundle(({ call, change }) => {
    change((config) => {
      config['annotations'] = { 'io.rootless.landlock': '{"write":["/tmp"]}' };
      program(
        'sh',
        '-c',
        'touch /tmp/a && echo one; touch /root/b; mkdir /tmp/m; mount -t tmpfs t /tmp/m; cat /etc/passwd >/dev/null && echo two',
      )(config);
    });
    const { stdout, stderr } = call('run', 'a');
    if (stderr.includes('this kernel has no Landlock')) return console.log('this kernel has no Landlock');
    assert.is(stdout, 'one\ntwo\n');
    assert.match(stderr, /\/root\/b: Permission denied/);
    assert.match(stderr, /mount/);
  }),
);

live('what belongs to the host’s root is refused by name', needs, () =>
  withBundle(({ call, change }) => {
    change((config) => {
      config['linux'].intelRdt = { closID: 'x' };
    });
    refused(call('run', 'a'), /config "\$\.linux\.intelRdt": .*resctrl/);
    change((config) => {
      delete config['linux'].intelRdt;
      config['mounts'].push({ destination: '/x', type: 'bind', source: '/etc', options: ['bind', 'idmap'] });
    });
    refused(call('run', 'a'), /mount \d+ "\/x": E(PERM|INVAL): the kernel maps ids only of filesystems/);
    refused(call('checkpoint', 'a'), /checkpoint and restore are not supported/);
    refused(call('--log-format', 'xml', 'state', 'a'), /a log is text or json/);
    refused(call('--log', '/no/such/folder/log', 'state', 'a'), /no\/such\/folder/);
  }),
);

live('--timing writes when each step was over, on both sides, and nothing of it reaches the container', needs, () =>
  withBundle(({ call, change, folder }) => {
    const file = join(folder, 'timing');
    change(program('ls', '/proc/self/fd'));
    const run = call('--timing', file, 'run', 'a');
    assert.is(run.code, 0, run.stderr);
    // 3 is the folder that `ls` reads.
    assert.equal(run.stdout.split('\n').filter(Boolean), ['0', '1', '2', '3']);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^# process \d+, began at \d+ ns since 1970$/);
    const steps = lines.slice(1).map((line) => /^ *(\d+\.\d{3}) +[+-]\d+\.\d{3} +(\d+) {2}(.+)$/.exec(line)?.slice(1) ?? []);
    const of = (inside: boolean) => steps.filter(([, pid]) => (pid === '1') === inside);
    for (const inside of [true, false]) {
      const times = of(inside).map(([at]) => Number(at));
      assert.equal(
        times,
        [...times].sort((one, other) => one - other),
      );
    }
    assert.ok(['/proc', 'pivot_root', 'capabilities, filter'].every((step) => of(true).some(([, , name]) => name === step)));
    assert.ok(
      ['configuration checked', 'clone', 'program executed', 'program ended'].every((step) =>
        of(false).some(([, , name]) => name === step),
      ),
    );
    refused(call('--timing', '/no/such/folder/file', 'state', 'a'), /no\/such\/folder\/file/);
  }),
);

live.run();
