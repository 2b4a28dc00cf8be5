/** What those who know runc and crun look for: their words in the debug log, their names of files, errors from the verb that they come from. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { program, refused, withBundle } from '../support/bundle.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;

live('--debug names the steps of run and exec as runc does, on stderr or in the log', needs, () =>
  withBundle(({ call, change, folder }) => {
    const steps = ['nsexec container setup', 'child process in init()', 'init: closing the pipe to signal completion'];
    const log = join(folder, 'log');
    change(program('true'));
    const said = call('--debug', 'run', 'a').stderr;
    for (const step of steps) assert.match(said, new RegExp(`level=debug msg=.*${step.replace('()', '\\(\\)')}`));
    assert.is(call('--debug', '--log', log, 'run', 'a').stderr, '');
    for (const step of steps) assert.ok(readFileSync(log, 'utf8').includes(step), step);
    change(program('sleep', '1000'));
    assert.is(call('run', '--detach', 'a').code, 0);
    const inside = call('--debug', 'exec', 'a', 'true').stderr;
    for (const step of [steps[0] ?? '', steps[1] ?? '', 'setns_init: about to exec']) assert.ok(inside.includes(step), inside);
    assert.is(call('exec', 'a', 'true').stderr, '');
  }),
);

live('a program that cannot be executed is one line, as a shell says it', needs, () =>
  withBundle(({ call, change, folder }) => {
    writeFileSync(join(folder, 'rootfs/script'), '#!/no/interpreter\n', { mode: 0o755 });
    writeFileSync(join(folder, 'rootfs/data'), 'x', { mode: 0o644 });
    for (const [path, line] of [
      ['/script', 'exec /script: no such file or directory\n'],
      ['/none', 'exec /none: no such file or directory\n'],
      ['/data', 'exec /data: permission denied\n'],
    ] as const) {
      change(program(path));
      const { code, stderr } = call('run', 'a');
      assert.is(code, 1);
      assert.is(stderr, line);
    }
  }),
);

live('capabilities: one that is not known is left out, where none is known they are refused, and so is that of exec', needs, () =>
  withBundle(({ call, change }) => {
    const sets = ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'];
    const all = (names: readonly string[]) => Object.fromEntries(sets.map((set) => [set, names]));
    change((config) => {
      program('sleep', '1000')(config);
      config['process'].capabilities = all(['CAP_NONE', 'NONE']);
    });
    refused(call('run', 'a'), /capabilities "CAP_NONE": not one of the capabilities is known/);
    change((config) => {
      config['process'].capabilities = all(['CAP_KILL', 'CAP_NONE']);
    });
    const { code, stderr } = call('run', '--detach', 'a');
    assert.is(code, 0);
    assert.match(stderr, /ignoring unknown or unavailable capabilities: \[CAP_NONE\]/);
    assert.match(call('exec', '--cap', 'CAP_CHOWN', 'a', 'grep', 'CapBnd', '/proc/self/status').stdout, /0{14}21$/m);
    const unknown = call('exec', '--cap', 'CAP_NONE', 'a', 'true');
    assert.is(unknown.code, 255);
    assert.match(unknown.stderr, /args "CAP_NONE": unknown capability/);
  }),
);

live('what the program may not enter is the error of create, and nothing is left', needs, () =>
  withBundle(async ({ call, change, status, folder }) => {
    change((config) => {
      program('true')(config);
      config['process'].capabilities = {};
      config['process'].cwd = '/etc/passwd';
    });
    refused(call('create', 'a'), /cwd "\/etc\/passwd": ENOTDIR/);
    assert.is(status('a'), undefined);
    // A filter that forbids what waiting takes is the program's, not the wait's.
    change((config) => {
      config['process'].cwd = '/';
      const forbidden = ['accept4', 'recvmsg', 'recvfrom'];
      config['linux'].seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: forbidden, action: 'SCMP_ACT_ERRNO' }] };
    });
    for (const noNewPrivileges of [true, false]) {
      change((config) => {
        config['process'].noNewPrivileges = noNewPrivileges;
        program('sh', '-c', `grep -c "^Seccomp:.2" /proc/self/status > /filtered-${noNewPrivileges}`)(config);
      });
      assert.is(call('create', 'a').code, 0);
      assert.is(call('start', 'a').code, 0);
      await eventually(() => assert.is(readFileSync(join(folder, `rootfs/filtered-${noNewPrivileges}`), 'utf8'), '1\n'));
      assert.is(call('delete', '--force', 'a').code, 0);
    }
  }),
);

live('an agent of seccomp gets its descriptor when the container is created; write cannot be asked about', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    const path = join(folder, 'agent');
    const got: string[] = [];
    const server = createServer((socket: Socket) => socket.on('data', (data) => got.push(data.toString()))).listen(path);
    try {
      await eventually(() => assert.ok(existsSync(path)));
      const ask = (name: string) =>
        change((config) => {
          program('true')(config);
          const syscalls = [{ names: [name], action: 'SCMP_ACT_NOTIFY' }];
          config['linux'].seccomp = { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: path, listenerMetadata: 'm', syscalls };
        });
      ask('swapon');
      assert.is(call('create', 'a').code, 0);
      await eventually(() => assert.is(got.length, 1));
      const { state, metadata, fds } = JSON.parse(got[0] ?? '') as {
        state: { status: string; id: string };
        metadata: string;
        fds: string[];
      };
      assert.equal([state.status, state.id, metadata, fds], ['creating', 'a', 'm', ['seccompFd']]);
      assert.is(call('start', 'a').code, 0);
      assert.is(call('delete', '--force', 'a').code, 0);
      ask('write');
      refused(call('run', 'a'), /seccomp: SCMP_ACT_NOTIFY cannot be used for the write syscall/);
    } finally {
      server.close();
    }
  }),
);

live('the state is where crun has it too, with the caller’s descriptors; help is there for each verb', needs, () =>
  withBundle(({ call, change, folder }) => {
    change(program('sleep', '1000'));
    assert.is(call('run', '--detach', 'a').code, 0);
    const { external_descriptors } = JSON.parse(readFileSync(join(folder, 'state/a/status'), 'utf8')) as { external_descriptors: string };
    assert.equal(JSON.parse(external_descriptors), ['/dev/null', join(folder, 'out'), join(folder, 'err')]);
    const help = call('--help').stdout;
    for (const verb of 'create start run state kill delete exec list ps pause resume update events spec features'.split(' ')) {
      assert.ok(help.includes(`\n   ${verb} `), verb);
      for (const flag of ['-h', '--help']) {
        const { code, stdout } = call(verb, flag);
        assert.is(code, 0);
        assert.match(stdout, new RegExp(`^NAME:\n   rootless-helper ${verb} - .+\n\nUsage: rootless-helper \\[OPTION…\\] ${verb} `));
      }
    }
    const { code, stderr } = call('foo', '-h');
    assert.is.not(code, 0);
    assert.match(stderr, /No help topic for 'foo'/);
  }),
);

live.run();
