/** The monitor by itself: `rootless-helper run --monitor`, its records and its socket. What the command line makes of it is elsewhere. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { helper } from '../support/checkout.ts';
import { detached, ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { frame, isAlive, monitored, Monitored } from '../support/monitor.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const sleeper = ['sleep', '300'];
const sh = (script: string) => ['sh', '-c', script];
const ms = 1_000_000;

live('detached it keeps nothing of the caller: session, folder, streams, descriptors', needs, () =>
  monitored({ args: sleeper }, async (container) => {
    const { pid } = container.status().monitor;
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    assert.is(stat[3], String(pid), 'a session of its own');
    assert.is(readlinkSync(`/proc/${pid}/cwd`), '/');
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => [fd, readlinkSync(`/proc/${pid}/fd/${fd}`)] as const);
    for (const [fd, file] of files.filter(([fd]) => Number(fd) < 3)) assert.is(file, '/dev/null', fd);
    const foreign = files.filter(([, file]) => file.startsWith('/') && file !== '/dev/null' && !file.startsWith(container.folder));
    assert.equal(foreign, []);
  }),
);

live('events end with the start, and a failed start is an error, an exit code and a record', needs, () =>
  withTmp((folder) => {
    const container = new Monitored(folder, { args: ['no-such-program'] });
    const args = ['--events-fd', '1', ...container.args(['--detach'])];
    const failed = spawnSync(helper, args, { encoding: 'utf8' });
    assert.is(failed.status, 127);
    assert.match(failed.stdout, /"created".*\n.*"event":"error","step":"exec","target":"no-such-program"/);
    assert.equal([container.status().status, container.status().code], ['exited', 127]);
    assert.equal(readdirSync(container.root), []);
  }),
);

live('output is logged, the end is recorded with code and times, and pid files say who', needs, () =>
  withTmp((folder) => {
    const monitor = { pidFile: join(folder, 'pid'), monitorPidFile: join(folder, 'mpid'), journal: join(folder, 'journal') };
    const container = new Monitored(folder, { args: sh('echo out; echo err >&2; printf part; exit 7'), monitor });
    assert.is(container.run([]).status, 7);
    const status = container.status();
    assert.equal([status.status, status.code, status.restarts], ['exited', 7, 0]);
    assert.ok(String(status['started']) < String(status['finished']));
    assert.equal(container.log().split('\n').sort(), ['err', 'out', 'part']);
    assert.is(readFileSync(join(folder, 'pid'), 'utf8'), String(status.pid));
    assert.is(readFileSync(join(folder, 'mpid'), 'utf8'), String(status.monitor.pid));
    const actions = readFileSync(join(folder, 'journal'), 'utf8').trim().split('\n');
    assert.equal(
      actions.map((entry) => (JSON.parse(entry) as { action: string }).action),
      ['start', 'die'],
    );
  }),
);

live('in the foreground the streams are the caller’s, input and exit code too, and the log has them', needs, () =>
  withTmp((folder) => {
    const container = new Monitored(folder, { args: sh('read a; echo "got $a"; cat; echo e >&2; exit 3') });
    const run = container.run([], 'one\ntwo\n');
    assert.equal([run.status, run.stdout, run.stderr], [3, 'got one\ntwo\n', 'e\n']);
    assert.match(container.log(), /got one\n/);
  }),
);

live('a foreground container ends with its caller', needs, () =>
  withTmp(async (folder) => {
    const container = new Monitored(folder, { args: sleeper });
    const child = container.start(['--parent-fd', '3'], ['ignore', 'pipe', 'pipe', 'pipe']);
    await eventually(() => assert.is(container.status().status, 'running'));
    child.stdio[3]?.destroy();
    await once(child, 'close');
    assert.equal([container.status().status, container.status().code], ['exited', 137]);
  }),
);

live('stop asks with a signal and kills when patience is over; wait hears of it', needs, async () => {
  await monitored({ args: sh('trap "echo asked; exit 4" TERM; echo set; while :; do sleep 0.05; done') }, async (container) => {
    await eventually(() => assert.is(container.log(), 'set\n'));
    const waits = container.ask({ op: 'wait' });
    assert.equal(await container.ask({ op: 'stop' }), { ok: true, code: 4 });
    assert.equal(await waits, { ok: true, code: 4 });
    assert.is(container.log(), 'set\nasked\n');
    assert.is(container.status()['stopped'], true);
  });
  await monitored({ args: sh('trap "" TERM; echo set; while :; do sleep 0.05; done') }, async (container) => {
    await eventually(() => assert.is(container.log(), 'set\n'));
    const begun = Date.now();
    assert.equal(await container.ask({ op: 'stop', timeout: 200 * ms }), { ok: true, code: 137 });
    assert.ok(Date.now() - begun >= 200);
  });
});

live('an attached client types and reads; a resize reaches the terminal; its end is the last frame', needs, () =>
  monitored({ args: ['sh'], terminal: true, monitor: { stdin: true } }, async (container) => {
    const client = await container.attach(true);
    client.socket.write(frame(4, '{"rows":33,"cols":44}'));
    client.socket.write(frame(0, 'stty size; exit 5\n'));
    const { out, end } = await client.frames();
    assert.match(out, /33 44/);
    assert.is(end, '{"code":5}');
  }),
);

live('end of input reaches the program, and a client without stdin cannot type', needs, () =>
  monitored({ args: ['cat'], monitor: { stdin: true } }, async (container) => {
    const [reader, writer] = [await container.attach(false), await container.attach(true)];
    reader.socket.write(Buffer.concat([frame(0, 'not this'), frame(5, '')]));
    const heard = reader.frames();
    writer.socket.write(Buffer.concat([frame(0, 'this'), frame(5, '')]));
    assert.equal(await heard, { out: 'this', err: '', end: '{"code":0}' });
  }),
);

live('a slow reader gets everything, and one that vanishes stops nobody', needs, () =>
  monitored({ args: sh('read go; seq 200000; echo last >&2'), monitor: { stdin: true } }, async (container) => {
    const [slow, gone] = [await container.attach(true), await container.attach(true)];
    slow.socket.write(frame(0, 'go\n'));
    await eventually(() => assert.match(container.log(), /1000\n/));
    gone.socket.destroy();
    const { out, err } = await slow.frames();
    assert.ok(out === Array.from({ length: 200_000 }, (_, at) => `${at + 1}\n`).join(''), `${out.length} bytes`);
    assert.is(err, 'last\n');
  }),
);

live('the log is complete up to the end, though a client reads nothing', needs, () =>
  monitored({ args: sh('read go; seq 1000000; sleep 300'), monitor: { stdin: true } }, async (container) => {
    const stalled = await container.attach(true);
    stalled.socket.pause().write(frame(0, 'go\n'));
    let length = 0;
    await eventually(() => {
      const before = length;
      length = container.log().length;
      assert.ok(length > 0 && length === before, 'the program waits');
    });
    const waiting = container.log().length;
    assert.is((await container.ask({ op: 'stop', timeout: 0 })).ok, true);
    const log = container.log();
    assert.ok(log.length > waiting, 'what was still in the pipe');
    const numbers = log.split('\n');
    assert.is(
      numbers.findIndex((number, at) => number !== String(at + 1)),
      numbers.length - 1,
    );
    stalled.socket.destroy();
  }),
);

live('exec: streams, code, user, folder, environment, and what cannot be run', needs, () =>
  monitored({ args: sleeper }, (container) => {
    const run = container.exec({ args: sh('pwd; echo $OWN$HOME; id -u; cat; echo e >&2; exit 9'), cwd: '/tmp' }, { user: 'root' }, 'typed');
    assert.equal([run.status, run.stdout, run.stderr], [9, '/tmp\n1/root\n0\ntyped', 'e\n']);
    assert.is(container.exec({ args: sh('kill -9 $$') }).status, 137);
    assert.is(container.exec({ args: ['nope'] }).status, 127);
    assert.is(container.exec({ args: ['/etc/passwd'] }).status, 126);
    assert.is(container.exec({ args: ['true'], cwd: '/nowhere' }).status, 126);
    assert.is(container.exec({ args: ['true'] }, { user: 'nobody-here' }).status, 126);
    assert.is(container.exec({ args: [] }).status, 125);
    assert.is(container.exec({ args: sh('touch /tmp/x; chown 5:6 /tmp/x') }).status, 0, 'one id stands for all');
    return Promise.resolve();
  }),
);

live('exec leaves no process of ours, no descriptor and no corpse', needs, () =>
  monitored({ args: sleeper }, async (container) => {
    const { pid } = container.status().monitor;
    const count = () => [readdirSync(`/proc/${pid}/fd`).length, children(pid).length];
    const before = count();
    for (let round = 0; round < 10; round++) assert.is(container.exec({ args: ['true'] }).status, 0);
    const left = await container.ask({ op: 'exec', process: { args: sh('yes & sleep 300') } });
    assert.is(left.ok, true);
    await eventually(() => assert.is(children(pid).length, (before[1] ?? 0) + 1, 'the program, and nothing beside it'));
    process.kill(Number(left['pid']), 'SIGKILL');
    await eventually(() => assert.equal(count(), before));
  }),
);

live('a program that is killed is restarted by the policy, with docker’s counting', needs, async () => {
  await monitored({ args: sh('echo life; exit 3'), monitor: { restart: { policy: 'on-failure', retries: 2 } } }, async (container) => {
    await eventually(() => assert.is(container.status().status, 'exited'));
    assert.equal([container.status().restarts, container.status().code, container.log()], [2, 3, 'life\n'.repeat(3)]);
  });
  await monitored({ args: sleeper, monitor: { restart: { policy: 'always' } } }, async (container) => {
    const first = container.status().pid;
    process.kill(first, 'SIGKILL');
    await eventually(() => {
      assert.is.not(container.status().pid, first);
      assert.is(container.status().status, 'running');
    });
    assert.is(container.exec({ args: ['true'] }).status, 0);
    assert.equal(await container.ask({ op: 'kill', signal: 9 }), { ok: true });
    await eventually(() => assert.is(container.status().status, 'exited'));
    assert.equal([container.status().restarts, container.status()['stopped']], [1, true]);
  });
});

live('a restart that cannot be made is recorded and tried again; a stop ends the waiting', needs, () =>
  monitored({ args: sh('sleep 0.1; exit 1'), monitor: { restart: { policy: 'always' } } }, async (container) => {
    const config = readFileSync(container.path('config.json'));
    writeFileSync(container.path('config.json'), '{');
    await eventually(() => assert.is((container.status()['error'] as { step: string }).step, 'validate'));
    assert.is(container.status().status, 'restarting');
    assert.match(container.exec({ args: ['true'] }).stderr, /restarting/);
    writeFileSync(container.path('config.json'), config);
    await eventually(() => assert.is(container.status()['error'], undefined));
    assert.is((await container.ask({ op: 'stop', timeout: 0 })).ok, true);
    assert.is(container.status().status, 'exited');
  }),
);

live('pause stops every process, refuses exec, and resume lets them go on; a stop wakes it', needs, () =>
  monitored({ args: sh('trap "exit 6" TERM; sh -c "while :; do :; done" & echo set; while :; do sleep 0.05; done') }, async (container) => {
    await eventually(() => assert.is(container.log(), 'set\n'));
    const { pid } = container.status();
    const running = () => [pid, ...children(pid)].filter((each) => !/^[tTZ]/.test(stateOf(each)));
    assert.equal(await container.ask({ op: 'pause' }), { ok: true });
    assert.equal(running(), []);
    assert.is(container.status()['paused'], true);
    assert.match(container.exec({ args: ['true'] }).stderr, /paused/);
    assert.is((await container.ask({ op: 'pause' })).ok, false);
    assert.equal(await container.ask({ op: 'resume' }), { ok: true });
    assert.ok(running().length > 0);
    assert.is((await container.ask({ op: 'resume' })).ok, false);
    await container.ask({ op: 'pause' });
    assert.equal(await container.ask({ op: 'stop' }), { ok: true, code: 6 });
  }),
);

live('health: unhealthy after so many failures, healthy after one success, checks that hang are killed', needs, async () => {
  const health = { test: ['CMD-SHELL', 'echo looked; test -e /tmp/ok'], interval: 50 * ms, timeout: 5000 * ms, retries: 2 };
  await monitored({ args: sleeper, monitor: { health } }, async (container) => {
    const record = () =>
      container.status()['health'] as { status: string; failingStreak: number; log: { exitCode: number; output: string }[] };
    assert.is(record().status, 'starting');
    await eventually(() => assert.is(record().status, 'unhealthy'));
    assert.ok(record().failingStreak >= 2);
    container.exec({ args: ['touch', '/tmp/ok'] });
    const answer = await container.ask({ op: 'health' });
    assert.equal([answer.ok, answer['output']], [true, 'looked\n']);
    await eventually(() => assert.is(record().status, 'healthy'));
    assert.ok(record().log.length <= 5);
  });
  const hangs = { test: ['CMD', 'sleep', '300'], interval: 50 * ms, timeout: 50 * ms, retries: 1, onFailure: 'kill' };
  await monitored({ args: sleeper, monitor: { health: hangs } }, async (container) => {
    await eventually(() => assert.is(container.status().status, 'exited'));
    const { log } = container.status()['health'] as { log: { exitCode: number; output: string }[] };
    assert.equal([log[0]?.exitCode, log[0]?.output], [-1, 'Health check exceeded timeout (50ms)']);
    assert.is(container.status().code, 137);
  });
});

live('the service manager hears that it runs, and what its program says, but no number of the container', [...needs, 'python'], () =>
  withTmp(async (folder) => {
    const listener = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound",flush=True)
while True: print(s.recv(4096).decode().replace("\\n"," "),flush=True)`;
    const manager = spawn('python3', ['-c', listener, join(folder, 's')], { stdio: ['ignore', 'pipe', 'inherit'] });
    let heard = '';
    manager.stdout.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    try {
      await eventually(() => assert.match(heard, /bound/));
      const notify = (mode: string) => ({ args: sleeper, monitor: { notify: { mode, socket: join(folder, 's') } } });
      await monitored(notify('conmon'), async (container) => {
        await eventually(() => assert.match(heard, new RegExp(`MAINPID=${container.status().monitor.pid} READY=1`)));
      });
      await monitored(notify('container'), async (container) => {
        assert.is(
          container.exec({ args: sh('test -S $NOTIFY_SOCKET'), env: ['PATH=/bin', 'NOTIFY_SOCKET=/run/notify/notify.sock'] }).status,
          0,
        );
        const say =
          'import socket,sys;socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM).sendto(b"MAINPID=7\\nREADY=1\\nSTATUS=up",sys.argv[1])';
        spawnSync('python3', ['-c', say, 'notify.sock'], { cwd: container.path('notify') });
        await eventually(() => assert.match(heard, new RegExp(`READY=1 STATUS=up MAINPID=${container.status().monitor.pid}`)));
      });
      assert.not.match(heard, /MAINPID=7/);
    } finally {
      manager.kill('SIGKILL');
    }
  }),
);

live('its whole time over, it is killed', needs, () =>
  withTmp((folder) => {
    const container = new Monitored(folder, { args: sleeper, monitor: { timeout: 100 * ms } });
    assert.is(container.run([]).status, 137);
  }),
);

live('a log that cannot be written stops the container if that was asked for', needs, () =>
  withTmp((folder) => {
    const log = { driver: 'plain', whenFull: 'stop' };
    const container = new Monitored(folder, { args: sh('seq 10000; exec sleep 300'), monitor: { log } });
    const run = spawnSync('sh', ['-c', 'ulimit -f 16; exec "$@"', 'sh', helper, ...container.args([])]);
    assert.is(run.status, 137);
    assert.is((container.status()['error'] as { errno: string }).errno, 'EFBIG');
  }),
);

live('killed, the monitor takes its container along; a killed keeper is replaced', needs, async () => {
  for (const keeperFirst of [false, true]) {
    await monitored({ args: sleeper }, async (container) => {
      const { pid, monitor } = container.status();
      const keeper = () => children(monitor.pid).find((child) => child !== pid && isAlive(child)) ?? 0;
      const first = keeper();
      assert.ok(first > 0);
      if (keeperFirst) {
        process.kill(first, 'SIGKILL');
        await eventually(() => assert.ok(keeper() > 0 && keeper() !== first));
      }
      process.kill(monitor.pid, 'SIGKILL');
      await eventually(() => assert.not.ok(isAlive(pid)));
    });
  }
});

live('a program that changed its user, so that the kernel forgot its death signal, does not outlive the monitor', needs, () =>
  detached([], ['busybox', 'su', 'ana', '-s', '/bin/sh', '-c', 'exec sleep 300'], async (id) => {
    const state = JSON.parse(await ok(['inspect', '--format', '{{json .State}}', id])) as { Pid: number };
    const monitor = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${state.Pid}/status`, 'utf8'))?.[1]);
    await eventually(() => assert.match(readFileSync(`/proc/${state.Pid}/cmdline`, 'latin1'), /^sleep/));
    process.kill(monitor, 'SIGKILL');
    await eventually(() => assert.not.ok(isAlive(state.Pid)));
  }),
);

live('a monitor is not impressed by clients that talk nonsense, stop in the middle, or come in hundreds', needs, () =>
  monitored({ args: sleeper, monitor: { stdin: true } }, async (container) => {
    const say = (bytes: string | Buffer) =>
      new Promise((resolve) =>
        container
          .dial()
          .on('error', () => undefined)
          .once('close', resolve)
          .resume()
          .end(bytes),
      );
    const attach = '{"op":"attach","stdin":true}\n';
    for (const bytes of [
      'nonsense\n',
      '{"op":',
      '\0\xff\n\n\n',
      '{"op":"fly"}\n{"op":"kill"}\n{"op":"resize","rows":-1}\n',
      `{"op":"wait","x":"${'x'.repeat(1 << 17)}"}\n`,
      `{"op":"exec","x":"${'x'.repeat(3 << 20)}`,
      Buffer.concat([Buffer.from(attach), Buffer.from([9, 0, 0, 0, 0, 0, 0, 0])]),
      Buffer.concat([Buffer.from(attach), Buffer.from([0, 0, 0, 0, 255, 255, 255, 255])]),
      Buffer.concat([Buffer.from(attach), frame(4, '[]')]),
      Buffer.concat([Buffer.from(attach), frame(0, 'x').subarray(0, 5)]),
    ])
      await say(bytes);
    const crowd = Array.from({ length: 400 }, () => container.dial().on('error', () => undefined));
    await eventually(() => assert.is(container.status().status, 'running'));
    for (const socket of crowd) socket.destroy();
    await eventually(async () => assert.is((await container.ask({ op: 'nothing' })).ok, false));
    assert.is((await container.ask({ op: 'kill', signal: 99 })).ok, false);
    assert.is(container.exec({ args: ['true'] }).status, 0);
  }),
);

live('a hundred megabytes of output leave it as small as before', needs, () =>
  monitored(
    {
      args: sh('read go; yes "a line of output that is not too short" | head -c 100000000; sleep 300'),
      monitor: { stdin: true, log: { driver: 'none' } },
    },
    async (container) => {
      const { pid } = container.status().monitor;
      const anonymous = () => Number(/^Pss_Anon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
      await eventually(() => assert.ok(anonymous() < 600, `${anonymous()} KiB`));
      const before = anonymous();
      const client = await container.attach(true);
      client.socket.write(frame(0, 'go\n'));
      await client.skip(100_000_000);
      client.socket.destroy();
      await eventually(() => assert.ok(anonymous() <= before + 64, `${before} KiB, then ${anonymous()}`));
    },
  ),
);

function children(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function stateOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2);
}

live.run();
