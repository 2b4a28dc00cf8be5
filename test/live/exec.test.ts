/** `rootless exec`: one more program in a running container, its streams, terminal, environment and exit code. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bin } from '../support/checkout.ts';
import { data, environment, finished, rootless, start, until } from '../support/cli.ts';
import { detached, gate, ok, open, terminal, terminalShell } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const onTty = ['userns', 'busybox', 'python'] as const;
const sleeper = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.2; done'];

live('output, errors and exit codes are those of the program', needs, () =>
  detached([], sleeper, async (id) => {
    const output = await rootless(['exec', id, 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.equal(output, { code: 7, signal: null, stdout: 'out\n', stderr: 'err\n' });
    assert.is((await rootless(['exec', id, 'sh', '-c', 'kill -TERM $$'])).code, 143);
    assert.is(await ok(['exec', id.slice(0, 6), 'echo', 'by', 'prefix']), 'by prefix\n');
    assert.is(await ok(['container', 'exec', '-l', 'echo', 'newest']), 'newest\n');
  }),
);

live("docker's codes for what cannot run", needs, () =>
  detached([], sleeper, async (id) => {
    for (const [flags, program, code, said] of [
      [[], 'no-such-program', 127, /command not found: "no-such-program"/],
      [[], '/no/such/file', 127, /no such file/],
      [[], '/etc', 126, /permission denied/],
      [[], '/etc/passwd', 126, /permission denied/],
      [['-u', 'nobody-knows'], 'id', 126, /no user or group "nobody-knows"/],
      [['-w', '/nowhere'], 'id', 127, /cannot enter the working folder "\/nowhere"/],
      [['-w', 'relative'], 'id', 125, /absolute path/],
      [['-e', '=x'], 'id', 125, /invalid environment variable/],
      [['--detach-keys', 'ctrl-1'], 'id', 125, /invalid detach keys/],
      [['--preserve-fds', '1'], 'id', 125, /no more descriptors/],
    ] as const) {
      const output = await rootless(['exec', ...flags, id, program]);
      assert.is(output.code, code, `${flags} ${program}: ${output.stderr}`);
      assert.match(output.stderr, said);
    }
  }),
);

live('a container that does not run says so', needs, async () => {
  await detached(['--name', 'ended'], ['true'], async () => {
    await ok(['wait', 'ended']);
    const output = await rootless(['exec', 'ended', 'true']);
    assert.is(output.code, 1);
    assert.match(output.stderr, /container "ended" is not running\n {2}fix: rootless start ended/);
  });
  assert.match((await rootless(['exec', 'nobody', 'true'])).stderr, /no such container: "nobody"/);
  assert.match((await rootless(['exec', 'nobody'])).stderr, /requires at least 2 arguments/);
});

live('a paused container says so', needs, () =>
  detached(['--name', 'still'], sleeper, async () => {
    const paused = await rootless(['pause', 'still']);
    // Without a cgroup of its own a container cannot be paused.
    if (paused.code !== 0) return assert.match(paused.stderr, /pause/);
    const output = await rootless(['exec', 'still', 'true']);
    assert.is(output.code, 1);
    assert.match(output.stderr, /container "still" is paused: unpause it before exec/);
  }),
);

live("environment, folder and user are the container's unless they are given", needs, () =>
  detached(['-e', 'A=1', '-e', 'B=1', '-w', '/tmp', '-u', 'ana'], sleeper, async (id) => {
    const show = 'echo $A $B $C $HOME $TERM; pwd; id -u; id -g';
    assert.is(await ok(['exec', id, 'sh', '-c', show]), '1 1 /home/ana\n/tmp\n1000\n1000\n');
    const flags = ['-e', 'B=2', '-e', 'C=3', '-w', '/var', '-u', 'root'];
    assert.is(await ok(['exec', ...flags, id, 'sh', '-c', show]), '1 2 3 /root\n/var\n0\n0\n');
    assert.is(await ok(['exec', '-u', '1234:29', id, 'sh', '-c', 'id -u; id -g']), '1234\n29\n');
  }),
);

live('variables come from files and from the host', needs, () =>
  withTmp(async (folder) => {
    const file = join(folder, 'env');
    writeFileSync(file, '# comment\nFROM_FILE=a b\nBOTH=file\nON_HOST\n');
    await detached([], sleeper, async (id) => {
      const args = ['exec', '--env-file', file, '-e', 'BOTH=flag', id, 'sh', '-c', 'echo "$FROM_FILE|$BOTH|$ON_HOST"'];
      const output = await rootless(args, { env: { ON_HOST: 'host' } });
      assert.is(output.stdout, 'a b|flag|host\n');
      assert.match((await rootless(['exec', '--env-file', join(folder, 'none'), id, 'true'])).stderr, /none/);
    });
  }),
);

live('an environment is not for everybody to read', needs, () =>
  detached([], sleeper, async (id) => {
    const child = start(['exec', '-e', 'SECRET=do-not-tell', id, 'sh', '-c', 'echo ready; sleep 30']);
    await until(child, 'ready');
    const ps = spawnSync('ps', ['axww', '-o', 'args'], { encoding: 'utf8' }).stdout;
    const told = ps.split('\n').filter((line) => line.includes('do-not-tell') && !line.includes('exec -e SECRET'));
    assert.equal(told, []);
    child.kill('SIGTERM');
    await finished(child);
  }),
);

live('input reaches the program, and its end too', needs, () =>
  detached([], sleeper, async (id) => {
    assert.is(await ok(['exec', '-i', id, 'cat'], 'typed'), 'typed');
    // Without -i there is nothing to read.
    assert.is(await ok(['exec', id, 'cat'], 'ignored'), '');
    const bytes = Buffer.alloc(3_000_000, 'binary \0\xff\r\n', 'latin1');
    const [sum] = (await ok(['exec', '-i', id, 'sha256sum'], bytes)).split(' ');
    assert.is(sum, createHash('sha256').update(bytes).digest('hex'));
  }),
);

live('no byte is lost at the end', needs, () =>
  detached([], sleeper, async (id) => {
    const script = 'yes 0123456789abcde | head -c 4000000; yes fedcba987654321 | head -c 2000000 >&2; exit 3';
    for (let round = 0; round < 3; round += 1) {
      const { code, stdout, stderr } = await rootless(['exec', id, 'sh', '-c', script]);
      assert.equal([code, stdout.length, stderr.length], [3, 4_000_000, 2_000_000]);
    }
  }),
);

live('who reads no more does not keep a program from ending', needs, () =>
  detached([], sleeper, async (id) => {
    const script = `"$0" exec ${id} sh -c 'yes | head -c 5000000; touch /tmp/done' | head -c 1 >/dev/null`;
    assert.is(spawnSync('sh', ['-c', script, bin], { env: environment }).status, 0);
    await eventually(() => ok(['exec', id, 'test', '-e', '/tmp/done']));
  }),
);

live('a background program holds nobody', needs, () =>
  detached([], sleeper, async (id) => {
    assert.is(await ok(['exec', id, 'sh', '-c', 'sleep 300 & echo left']), 'left\n');
    assert.is(await ok(['exec', '-d', id, 'sh', '-c', 'sleep 0.2; touch /tmp/later']), '');
    await eventually(() => ok(['exec', id, 'test', '-e', '/tmp/later']));
    assert.is((await rootless(['exec', '-d', id, 'no-such-program'])).code, 127);
  }),
);

live("the container never holds a file or terminal of the caller's", needs, () =>
  withTmp(async (folder) => {
    const file = join(folder, 'out');
    await detached([], sleeper, async (id) => {
      const out = openSync(file, 'w');
      const show = 'for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done';
      spawnSync(bin, ['exec', '-i', id, 'sh', '-c', show], { env: environment, stdio: [openSync('/etc/passwd', 'r'), out, out] });
      assert.match(readFileSync(file, 'utf8'), /^(pipe:\[\d+\]\n){3}$/);
    });
  }),
);

live('a signal ends the session, not the program', needs, () =>
  detached([], sleeper, async (id) => {
    const codes = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;
    for (const [signal, code] of Object.entries(codes) as [NodeJS.Signals, number][]) {
      const child = start(['exec', id, 'sh', '-c', `echo ready; ${gate}; touch /tmp/${signal}`]);
      await until(child, 'ready');
      const ended = finished(child);
      child.kill(signal);
      assert.is((await ended).code, code);
    }
    await open(id);
    for (const signal of Object.keys(codes)) await eventually(() => ok(['exec', id, 'test', '-e', `/tmp/${signal}`]));
  }),
);

live('capabilities and filter are those of the container, with --privileged there are more', needs, () =>
  detached([], sleeper, async (id) => {
    const show = ['grep', '-E', '^(CapEff|CapBnd|Seccomp|NoNewPrivs):', '/proc/self/status'];
    const own = await ok(['exec', id, 'grep', '-E', show[2] as string, '/proc/1/status']);
    assert.is(await ok(['exec', id, ...show]), own);
    const more = await ok(['exec', '--privileged', id, ...show]);
    assert.match(more, /CapEff:\t[0-9a-f]*1ffffffffff\n/);
    assert.match(more, /NoNewPrivs:\t0/);
    assert.match(await ok(['exec', '-u', 'ana', id, ...show]), /CapEff:\t0000000000000000\n/);
  }),
);

live("keys of the caller's session stay outside, also where no filter keeps them", needs, () => {
  // keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING): the caller's own, unless the program got another one.
  const call = { x64: 250, arm64: 219 }[process.arch as string];
  const script = `print syscall(${call}, 0, -3, 0)`;
  const outside = spawnSync('perl', ['-e', script], { encoding: 'utf8' }).stdout;
  const perl = ['/usr', '/lib', '/lib64'].filter((folder) => existsSync(folder)).flatMap((folder) => ['-v', `${folder}:${folder}:ro`]);
  return detached(['--security-opt', 'seccomp=unconfined', ...perl], sleeper, async (id) => {
    for (const flags of [[], ['--privileged']]) {
      const inside = await ok(['exec', ...flags, id, '/usr/bin/perl', '-e', script]);
      assert.match(inside, /^\d+$/);
      assert.is.not(inside, outside);
    }
  });
});

live('a terminal is one, of the right size and kind', onTty, () =>
  detached([], sleeper, async (id) => {
    const screen = terminal([
      'exec',
      '-it',
      id,
      'sh',
      '-c',
      'trap "stty size; exit 4" WINCH; tty; stty size; echo $TERM; while :; do sleep 0.1; done',
    ]);
    await screen.shows(/\/dev\/pts\/\d+\r\n24 80\r\nxterm\r\n/);
    screen.resize(40, 132);
    await screen.shows(/40 132/);
    assert.is(await screen.ended, 4);
  }),
);

live('keys go to the program, also those that interrupt', onTty, () =>
  detached([], sleeper, async (id) => {
    const screen = terminal(['exec', '-it', id, 'sh', '-c', 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.1; done']);
    await screen.shows(/ready/);
    screen.type('\x03');
    assert.is(await screen.ended, 5);
    assert.match(screen.screen, /caught/);
  }),
);

live('the detach keys leave, and their beginning alone is typed', onTty, () =>
  detached([], sleeper, async (id) => {
    const screen = terminal([
      'exec',
      '-it',
      id,
      'sh',
      '-c',
      'stty raw -echo; echo ready; dd bs=1 count=2 2>/dev/null | od -c; touch /tmp/read; while ! test -e /tmp/open; do sleep 0.05; done; touch /tmp/still',
    ]);
    await screen.shows(/ready/);
    screen.type('\x10x');
    await screen.shows(/020 {3}x/);
    screen.type('\x10');
    screen.type('\x11');
    assert.is(await screen.ended, 0);
    await open(id);
    await eventually(() => ok(['exec', id, 'test', '-e', '/tmp/still']));
    const other = terminal(['exec', '-it', '--detach-keys', 'a,b', id, 'sh']);
    await other.shows(/# /);
    other.type('ab');
    assert.is(await other.ended, 0);
  }),
);

const usual = { echo: true, canonical: true, signals: true };
const raw = { echo: false, canonical: false, signals: false };

live('the terminal is raw during the session and as before after it, whatever ends it', onTty, () =>
  detached([], sleeper, async (id) => {
    for (const [end, expected] of [
      ['exit 3\r', /ended 3/],
      ['\x10\x11', /ended 0/],
      ['SIGTERM', /ended 143/],
      ['SIGHUP', /ended 129/],
    ] as const) {
      const shell = terminalShell('"$@"; echo "ended $?"; read -r line', ['exec', '-it', id, 'sh']);
      await shell.shows(/# /);
      assert.equal(await shell.modes(), raw);
      if (end.startsWith('SIG')) {
        const pid = await shell.pid();
        const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
        process.kill(Number(child), end as NodeJS.Signals);
      } else shell.type(end);
      await shell.shows(expected);
      await eventually(async () => assert.equal(await shell.modes(), usual));
      shell.type('\r');
      assert.is(await shell.ended, 0);
    }
  }),
);

live('a pipe is no terminal', needs, () =>
  detached([], sleeper, async (id) => {
    const output = await rootless(['exec', '-it', id, 'true'], { input: '' });
    assert.is(output.code, 125);
    assert.match(output.stderr, /the input device is not a TTY/);
    assert.match(await ok(['exec', '-t', id, 'tty']), /^\/dev\/pts\/\d+\r\n$/);
  }),
);

live('many at once', needs, () =>
  detached([], sleeper, async (id) => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, number) => ok(['exec', id, 'echo', String(number)])));
    assert.equal(
      all,
      Array.from({ length: 20 }, (_, number) => `${number}\n`),
    );
  }),
);

live('the end of the container is the end of its sessions', needs, () =>
  detached([], sleeper, async (id) => {
    const child = start(['exec', id, 'sh', '-c', 'echo ready; sleep 300']);
    await until(child, 'ready');
    const ended = finished(child);
    await ok(['kill', id]);
    assert.is((await ended).code, 137);
  }),
);

live('a monitor that somebody stopped is named, and does not keep a container from being killed', needs, () =>
  detached([], sleeper, async (id) => {
    const status = JSON.parse(readFileSync(join(data, 'containers', id, 'status.json'), 'utf8')) as { monitor: { pid: number } };
    const { pid } = status.monitor;
    process.kill(pid, 'SIGSTOP');
    try {
      const refusals = ['exec', 'attach', 'pause', 'kill -s CONT', 'healthcheck run'].map(async (verb) => {
        const { code, stderr } = await rootless([...verb.split(' '), id, ...(verb === 'exec' ? ['true'] : [])]);
        if (verb.startsWith('health')) return assert.match(stderr, /no defined healthcheck/);
        assert.is(code, 125, verb);
        assert.match(
          stderr,
          new RegExp(`the monitor of container ${id.slice(0, 12)} does not answer\n {2}why: its process ${pid} is stopped`),
        );
        assert.match(stderr, new RegExp(`\n {2}fix: kill -CONT ${pid}\n`));
      });
      await Promise.all(refusals);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    assert.is(await ok(['exec', id, 'echo', 'on']), 'on\n');
    process.kill(pid, 'SIGSTOP');
    await ok(['kill', id]);
    assert.match(await ok(['ps', '-a', '--format', '{{.Status}}', '--filter', `id=${id}`]), /^Exited \(137\)/);
  }),
);

live.run();
